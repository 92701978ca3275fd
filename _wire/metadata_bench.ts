import { Metadata } from "../core/metadata.ts";
import { decodeMetadata, metadataFields } from "./metadata.ts";

/** The head of a request, as it comes, with three entries of metadata. */
const RAW = [
  ...[":method", "POST", ":scheme", "http", ":path", "/a.B/C"],
  ...[":authority", "127.0.0.1:50051", "te", "trailers"],
  ...["content-type", "application/grpc", "user-agent", "grpc-deno/0.1.0"],
  ...["grpc-timeout", "10S", "x-a", "1", "x-b", "two"],
  ...["trace-bin", "AAECAwQFBgcICQoLDA0ODw"],
];
const metadata = new Metadata({
  "x-a": "1",
  "x-b": "two",
  "trace-bin": new Uint8Array(16),
});

Deno.bench("decodeMetadata() of a request with three entries", () => {
  decodeMetadata(RAW);
});

Deno.bench("metadataFields() of three entries", () => {
  metadataFields(metadata);
});
