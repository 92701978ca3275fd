import { decodeTimeout, encodeTimeout } from "./timeout.ts";

for (const ms of [0.25, 123.456, 10_000, 3_600_000]) {
  const text = encodeTimeout(ms);
  Deno.bench(`encodeTimeout() of ${ms} ms`, () => {
    encodeTimeout(ms);
  });
  Deno.bench(`decodeTimeout() of ${text}`, () => {
    decodeTimeout(text);
  });
}
