type Inspect = (value: unknown, options: unknown) => string;

/**
 * Says what Deno and Node.js print for the objects of a class whose fields are
 * private: the name of the class and a value. Defined from outside, since
 * isolatedDeclarations has no name for a member under `Symbol.for()`.
 */
export function printAs<T extends object>(
  type: { readonly name: string; readonly prototype: T },
  show: (object: T) => unknown,
): void {
  Object.defineProperties(type.prototype, {
    [Symbol.for("Deno.customInspect")]: {
      value(this: T, inspect: Inspect, options: unknown): string {
        return `${type.name} ${inspect(show(this), options)}`;
      },
    },
    [Symbol.for("nodejs.util.inspect.custom")]: {
      value(this: T, _: number, options: unknown, inspect: Inspect): string {
        return `${type.name} ${inspect(show(this), options)}`;
      },
    },
  });
}
