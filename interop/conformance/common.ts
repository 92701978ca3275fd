/**
 * What the client and the server of the conformance suite share.
 *
 * @module
 */

import { create, createRegistry, type Registry } from "@bufbuild/protobuf";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";
import {
  GRPCError,
  Metadata,
  type MetadataValue,
  type Status,
  type UnknownDetail,
} from "@grpclib/grpclib";
import {
  type Code,
  Compression,
} from "./gen/connectrpc/conformance/v1/config_pb.ts";
import {
  ConformancePayload_RequestInfoSchema,
  type Error as ErrorMessage,
  ErrorSchema,
  file_connectrpc_conformance_v1_service,
  type Header,
  HeaderSchema,
} from "./gen/connectrpc/conformance/v1/service_pb.ts";

/** All types of the suite. */
export const registry: Registry = createRegistry(
  file_connectrpc_conformance_v1_service,
);

/** The names of the encodings. */
export const COMPRESSIONS = {
  [Compression.UNSPECIFIED]: "identity",
  [Compression.IDENTITY]: "identity",
  [Compression.GZIP]: "gzip",
  [Compression.BR]: "br",
  [Compression.ZSTD]: "zstd",
  [Compression.DEFLATE]: "deflate",
  [Compression.SNAPPY]: "identity",
} as const;

/** Metadata of the suite's headers. */
export function metadataOf(headers: readonly Header[]): Metadata {
  const metadata = new Metadata();
  for (const { name, value } of headers) {
    for (const one of value) {
      const key = name.toLowerCase();
      metadata.append(key, key.endsWith("-bin") ? fromBase64(one) : one);
    }
  }
  return metadata;
}

/** The suite's headers of metadata. */
export function headersOf(metadata: Metadata | null): Header[] {
  if (metadata === null) return [];
  return [...new Set(metadata.keys())].map((name) =>
    create(HeaderSchema, { name, value: metadata.getAll(name).map(textOf) })
  );
}

function textOf(value: MetadataValue): string {
  return typeof value === "string"
    ? value
    : value.toBase64({ omitPadding: true });
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.fromBase64(text);
}

/** The error that a handler of the suite throws. */
export function grpcErrorOf(
  error: ErrorMessage,
  details: readonly Any[],
  trailers: Metadata,
): GRPCError {
  return new GRPCError(error.code as number as Status, error.message ?? "", {
    details: [...error.details, ...details],
    metadata: trailers,
  });
}

/** What the suite is told of an error. */
export function errorOf(error: GRPCError): ErrorMessage {
  const details = error.details.map((detail) => {
    // This client knows none of the types, so that all come as they are.
    const { typeUrl, value } = detail as UnknownDetail;
    return create(AnySchema, { typeUrl, value });
  });
  return create(ErrorSchema, {
    code: error.status as number as Code,
    message: error.message,
    details,
  });
}

export { ConformancePayload_RequestInfoSchema };
