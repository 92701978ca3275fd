/**
 * Tells whether a channel and a server keep the asynchronous context of their
 * first caller, while they go on:
 *
 *     deno run --allow-net=127.0.0.1 --v8-flags=--expose-gc \
 *       _testdata/context_program.ts
 *
 * @module
 */

// deno-lint-ignore-file no-console

import { AsyncLocalStorage } from "node:async_hooks";
import type { ConfigurationOptions } from "../mod.ts";
import { startEcho } from "./echo_service.ts";
import { turns } from "./waiting.ts";

const { gc } = globalThis as unknown as { gc(): void };
const storage = new AsyncLocalStorage<object>();

async function tell(
  what: string,
  config: ConfigurationOptions,
): Promise<void> {
  await using echo = await startEcho({ channel: { config } });
  const first = await callOnce(echo.stub.unary);
  // Another one uses the connection, and keeps it.
  await echo.stub.unary({}, { timeoutMs: 60_000 });
  for (let i = 0; i < 20 && first.deref() !== undefined; i++) {
    await turns(5);
    gc();
  }
  console.log(`${what}: ${first.deref() === undefined ? "freed" : "kept"}`);
}

/** Makes a call, and gives the store of its context. */
async function callOnce(
  call: (request: { text: string }) => Promise<unknown>,
): Promise<WeakRef<object>> {
  const store = { name: "first" };
  await storage.run(store, () => call({ text: "" }));
  return new WeakRef(store);
}

await tell("plain", {});
await tell("with keepalive", { keepaliveTimeMs: 10_000 });
