/**
 * What the descriptors of protobuf-es say about a method.
 *
 * @module
 */

import type { DescFile, DescMethod } from "@bufbuild/protobuf";
import { Cardinality } from "../core/cardinality.ts";
import type { MethodDescriptor } from "../core/events.ts";

/**
 * The path of a method, from the names in its .proto file.
 *
 * @see {@link https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#appendix-a---grpc-for-protobuf}
 */
export function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** The kind of call of a method. */
export function cardinalityOf(method: DescMethod): Cardinality {
  switch (method.methodKind) {
    case "unary":
      return Cardinality.UNARY_UNARY;
    case "server_streaming":
      return Cardinality.UNARY_STREAM;
    case "client_streaming":
      return Cardinality.STREAM_UNARY;
    case "bidi_streaming":
      return Cardinality.STREAM_STREAM;
  }
}

/**
 * Puts together what is known of a method.
 *
 * @param method What its service, or its stub, says of it.
 * @returns The same, and its descriptor: where that was not given it is looked
 *   for, when somebody asks for it, in the files of the messages, of which one
 *   has the service as a rule.
 */
export function methodDescriptor(
  method: Omit<MethodDescriptor, "descriptor"> & {
    readonly descriptor?: DescMethod | undefined;
  },
): MethodDescriptor {
  const { path, cardinality, requestType, replyType } = method;
  let found: DescMethod | null | undefined = method.descriptor;
  return {
    path,
    cardinality,
    requestType,
    replyType,
    get descriptor() {
      return found ??= findMethod(path, [requestType, replyType]);
    },
  };
}

function findMethod(
  path: string,
  types: readonly unknown[],
): DescMethod | null {
  for (const type of types) {
    const file = (type as { readonly file?: DescFile } | null)?.file;
    for (const service of file?.services ?? []) {
      const method = service.methods.find((it) => pathOf(it) === path);
      if (method !== undefined) return method;
    }
  }
  return null;
}
