import { Metadata } from "./metadata.ts";

const INIT = {
  "authorization": "Bearer 0123456789abcdef0123456789abcdef",
  "x-request-id": "7f9c24e8-3b12-4fef-91d0-6a1f3c5e8b2d",
  "trace-bin": new Uint8Array(16),
};
const metadata = new Metadata(INIT);

Deno.bench("new Metadata() checks three pairs", () => {
  new Metadata(INIT);
});

Deno.bench("new Metadata() copies metadata", () => {
  new Metadata(metadata);
});

Deno.bench("Metadata.get() finds the last of three", () => {
  metadata.get("trace-bin");
});

Deno.bench("Metadata.set() replaces a value", () => {
  metadata.set("x-request-id", "7f9c24e8-3b12-4fef-91d0-6a1f3c5e8b2d");
});
