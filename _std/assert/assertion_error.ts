/** Thrown by every assertion of this package that does not hold. */
export class AssertionError extends Error {
  /**
   * Makes an error that names the assertion as its kind.
   *
   * @param message What was expected and what was found.
   * @param options May carry the cause.
   */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AssertionError";
  }
}
