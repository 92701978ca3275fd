/**
 * Just enough of HPACK for a peer made of raw frames: it writes literals, and
 * reads whatever `node:http2` writes.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7541}
 * @module
 */

/** One header field, its bytes as the characters of a string. */
export type Field = readonly [name: string, value: string];

// https://www.rfc-editor.org/rfc/rfc7541#appendix-A
const STATIC_TABLE: readonly Field[] = [
  [":authority", ""],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  ...["200", "204", "206", "304", "400", "404", "500"]
    .map((status): Field => [":status", status]),
  ["accept-charset", ""],
  ["accept-encoding", "gzip, deflate"],
  ...`accept-language accept-ranges accept access-control-allow-origin age allow
    authorization cache-control content-disposition content-encoding
    content-language content-length content-location content-range content-type
    cookie date etag expect expires from host if-match if-modified-since
    if-none-match if-range if-unmodified-since last-modified link location
    max-forwards proxy-authenticate proxy-authorization range referer refresh
    retry-after server set-cookie strict-transport-security transfer-encoding
    user-agent vary via www-authenticate`
    .split(/\s+/).map((name): Field => [name, ""]),
];

/**
 * How many bits the code of each byte has, in base 36. The codes follow from
 * that: they are numbered by length and then by byte.
 * https://www.rfc-editor.org/rfc/rfc7541#appendix-B
 */
const CODE_LENGTHS =
  "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca" +
  "d67777777777777777777777878djde6f56565666577666567655677777fbeds" +
  "kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn" +
  "qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq";

/** The bytes by their codes; a code is keyed with a 1 before its first bit. */
const BYTE_OF_CODE: ReadonlyMap<number, number> = codes();

function codes(): Map<number, number> {
  const byCode = new Map<number, number>();
  let code = 0;
  for (let length = 5; length <= 28; length++) {
    for (let byte = 0; byte < CODE_LENGTHS.length; byte++) {
      if (Number.parseInt(CODE_LENGTHS[byte]!, 36) !== length) continue;
      byCode.set(2 ** length + code, byte);
      code++;
    }
    code *= 2;
  }
  return byCode;
}

/** Reads a string in Huffman code; the bits that pad it complete no code. */
export function decodeHuffman(bytes: Uint8Array): string {
  let text = "";
  let code = 1;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((byte >> bit) & 1);
      const decoded = BYTE_OF_CODE.get(code);
      if (decoded === undefined) continue;
      text += String.fromCharCode(decoded);
      code = 1;
    }
  }
  return text;
}

/** Writes fields as literals that leave no trace in the reader's table. */
export function encodeFields(fields: Iterable<Field>): Uint8Array {
  const bytes: number[] = [];
  for (const [name, value] of fields) {
    bytes.push(0); // Literal Header Field without Indexing, New Name
    pushString(bytes, name);
    pushString(bytes, value);
  }
  return Uint8Array.from(bytes);
}

function pushString(bytes: number[], text: string): void {
  let rest = text.length;
  if (rest < 127) {
    bytes.push(rest);
  } else {
    bytes.push(127);
    for (rest -= 127; rest >= 128; rest = rest >> 7) bytes.push(rest | 128);
    bytes.push(rest);
  }
  for (let i = 0; i < text.length; i++) bytes.push(text.charCodeAt(i) & 255);
}

/** Reads the header blocks of one connection, which share a table. */
export class FieldDecoder {
  #dynamic: Field[] = [];
  #maxSize = 4096;
  #bytes: Uint8Array = new Uint8Array();
  #at = 0;

  /** Reads one header block. */
  decode(block: Uint8Array): Field[] {
    this.#bytes = block;
    this.#at = 0;
    const fields: Field[] = [];
    while (this.#at < block.length) {
      const first = block[this.#at]!;
      if (first & 0x80) { // Indexed Header Field
        fields.push(this.#entry(this.#integer(7)));
      } else if (first & 0x40) { // Literal with Incremental Indexing
        const field = this.#literal(6);
        fields.push(field);
        this.#dynamic.unshift(field);
        this.#evict();
      } else if (first & 0x20) { // Dynamic Table Size Update
        this.#maxSize = this.#integer(5);
        this.#evict();
      } else { // Literal without Indexing, or Never Indexed
        fields.push(this.#literal(4));
      }
    }
    return fields;
  }

  #literal(prefixBits: number): Field {
    const index = this.#integer(prefixBits);
    const name = index === 0 ? this.#string() : this.#entry(index)[0];
    return [name, this.#string()];
  }

  #entry(index: number): Field {
    const field = index <= STATIC_TABLE.length
      ? STATIC_TABLE[index - 1]
      : this.#dynamic[index - 1 - STATIC_TABLE.length];
    if (field === undefined) throw new Error(`No header field ${index}`);
    return field;
  }

  #evict(): void {
    const sizeOf = ([name, value]: Field): number =>
      name.length + value.length + 32;
    let size = this.#dynamic.reduce((sum, field) => sum + sizeOf(field), 0);
    while (size > this.#maxSize) size -= sizeOf(this.#dynamic.pop()!);
  }

  #integer(prefixBits: number): number {
    const max = (1 << prefixBits) - 1;
    let value = this.#bytes[this.#at++]! & max;
    if (value < max) return value;
    for (let shift = 0;; shift += 7) {
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 127) << shift;
      if (byte < 128) return value;
    }
  }

  #string(): string {
    const isHuffman = (this.#bytes[this.#at]! & 0x80) !== 0;
    const length = this.#integer(7);
    const bytes = this.#bytes.subarray(this.#at, this.#at += length);
    return isHuffman
      ? decodeHuffman(bytes)
      : bytes.reduce((text, byte) => text + String.fromCharCode(byte), "");
  }
}
