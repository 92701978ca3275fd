import { decodeBin, decodeMessage, encodeBin, encodeMessage } from "./text.ts";

const TEXTS = {
  "ASCII": "There is no such file in the folder",
  "text with umlauts": "Die Datei lässt sich nicht öffnen: größer als üblich",
};

for (const [title, text] of Object.entries(TEXTS)) {
  const encoded = encodeMessage(text);
  Deno.bench(`encodeMessage() of ${title}`, () => {
    encodeMessage(text);
  });
  Deno.bench(`decodeMessage() of ${title}`, () => {
    decodeMessage(encoded);
  });
}

for (const size of [16, 1024]) {
  const bytes = new Uint8Array(size).fill(7);
  const encoded = encodeBin(bytes);
  Deno.bench(`encodeBin() of ${size} bytes`, () => {
    encodeBin(bytes);
  });
  Deno.bench(`decodeBin() of ${size} bytes`, () => {
    decodeBin(encoded);
  });
}
