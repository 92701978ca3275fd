/**
 * The codecs of a server, and which of them a request is for.
 *
 * @module
 */

import { describe } from "../../core/_describe.ts";
import type { Codec } from "../../core/codec.ts";
import { acceptsSubtype, contentSubtype } from "../../_wire/headers.ts";

/** A codec with the content type of its replies. */
export interface ServerCodec {
  readonly codec: Codec;
  readonly contentType: string;
}

/**
 * Reads the codecs that a user gave to a server.
 *
 * @param option One codec, or several with different content subtypes.
 * @returns The codecs, at least one.
 * @throws {TypeError} If one is none, or two have the same content subtype.
 */
export function codecsOf(
  option: Codec | readonly Codec[],
): readonly ServerCodec[] {
  const codecs: readonly Codec[] = Array.isArray(option) ? option : [option];
  const subtypes = new Set<string>();
  const found = codecs.map((codec) => {
    const subtype: unknown = codec?.contentSubtype;
    if (typeof subtype !== "string" || subtype === "") {
      throw new TypeError(
        `Cannot create server: a codec needs a contentSubtype, received ${
          describe(codec)
        }`,
      );
    }
    if (subtypes.has(subtype.toLowerCase())) {
      throw new TypeError(
        `Cannot create server: two codecs have the content subtype "${subtype}"`,
      );
    }
    subtypes.add(subtype.toLowerCase());
    return { codec, contentType: `application/grpc+${subtype}` };
  });
  if (found.length > 0) return found;
  throw new TypeError("Cannot create server: a codec is needed, received none");
}

/**
 * Finds the codec for a request.
 *
 * @param codecs What there is.
 * @param contentType The content type of the request.
 * @returns The codec; undefined if there is none for it.
 */
export function codecFor(
  codecs: readonly ServerCodec[],
  contentType: string,
): ServerCodec | undefined {
  const [first] = codecs;
  if (contentType === first!.contentType) return first;
  const subtype = contentSubtype(contentType);
  if (subtype === null) return undefined;
  return codecs.find(({ codec }) =>
    acceptsSubtype(subtype, codec.contentSubtype)
  );
}
