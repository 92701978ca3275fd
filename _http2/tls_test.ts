import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertMatch,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { Buffer } from "node:buffer";
import { createPrivateKey, X509Certificate } from "node:crypto";
import type { PeerCertificate as NodeCertificate } from "node:tls";
import { Authority } from "../_testdata/certificates.ts";
import type { PeerCertificate } from "../core/peer.ts";
import type { ChannelTLSOptions, ServerTLSOptions } from "../core/tls.ts";
import {
  clientCertificatesOf,
  clientTLSOptions,
  faultOfProtocol,
  peerCertificate,
  type SecureSocket,
  serverTLSOptions,
} from "./tls.ts";

const AUTHORITY = new Authority();
const SERVER = AUTHORITY.issue({ commonName: "server" });
const CLIENT = AUTHORITY.issue({ commonName: "client" });
const { raw: RAW } = new X509Certificate(SERVER.cert);
const HOST = { hostname: "example.com" };

const NODE_CERTIFICATE = {
  subject: { CN: "server", OU: ["a", "b"] },
  issuer: { CN: "authority" },
  subjectaltname: "DNS:localhost",
  raw: RAW,
  fingerprint: "00",
  fingerprint256: "AB:CD",
  serialNumber: "01",
  valid_from: "Jan  1 00:00:00 2026 GMT",
  valid_to: "Jan  1 00:00:00 2027 GMT",
  ca: false,
} as unknown as NodeCertificate;

const CERTIFICATE: PeerCertificate = {
  subject: { CN: "server", OU: ["a", "b"] },
  issuer: { CN: "authority" },
  subjectAltName: "DNS:localhost",
  raw: new Uint8Array(RAW),
  fingerprint256: "AB:CD",
  serialNumber: "01",
  validFrom: "Jan  1 00:00:00 2026 GMT",
  validTo: "Jan  1 00:00:00 2027 GMT",
};

/** A socket after its handshake. */
function socket(
  authorized: boolean,
  certificate: unknown,
  alpnProtocol: string | false | null = "h2",
): SecureSocket {
  return {
    authorized,
    alpnProtocol,
    getPeerCertificate: () => certificate,
  } as SecureSocket;
}

/** What node:tls gets to hear of a certificate. */
function check(
  options: ChannelTLSOptions | true,
  server: { hostname: string; nameOverride?: string },
  certificate: NodeCertificate = NODE_CERTIFICATE,
): Error | undefined {
  // What node:tls takes for the host must not matter.
  return clientTLSOptions(options, server)
    .checkServerIdentity!("other.example", certificate);
}

/** The same key, encrypted. */
function encrypted(key: string, passphrase: string): string {
  return createPrivateKey(key).export({
    type: "pkcs8",
    format: "pem",
    cipher: "aes-256-cbc",
    passphrase,
  }).toString();
}

Deno.test("clientTLSOptions() asks for HTTP/2, TLS 1.2 and a verified server", () => {
  for (const tls of [true, {}] as const) {
    const { checkServerIdentity, ...rest } = clientTLSOptions(tls, HOST);
    assertEquals(typeof checkServerIdentity, "function");
    assertEquals(rest, {
      ALPNProtocols: ["h2"],
      minVersion: "TLSv1.2",
      servername: "example.com",
      rejectUnauthorized: true,
    });
  }
});

Deno.test("clientTLSOptions() passes certificates on as text", () => {
  const encode = (text: string) => new TextEncoder().encode(text);
  const { cert, key } = CLIENT;
  const expected = { ca: [AUTHORITY.cert], cert, key };
  const variants: ChannelTLSOptions[] = [
    { ca: AUTHORITY.cert, cert, key },
    { ca: [AUTHORITY.cert], cert: encode(cert), key: encode(key) },
    { ca: encode(AUTHORITY.cert), cert: Buffer.from(cert), key },
    { ca: [encode(AUTHORITY.cert)], cert, key: encode(key) },
  ];
  for (const variant of variants) {
    const { ca, cert, key } = clientTLSOptions(variant, HOST);
    assertEquals({ ca, cert, key }, expected);
  }
  const two = clientTLSOptions({ ca: [AUTHORITY.cert, SERVER.cert] }, HOST);
  assertEquals(two.ca, [AUTHORITY.cert, SERVER.cert]);
});

Deno.test("clientTLSOptions() asks for a host by name, and never for an address", () => {
  const cases: [string, string][] = [
    ["example.com", "example.com"],
    ["example.com.", "example.com"],
    ["localhost", "localhost"],
    ["127.0.0.1", ""],
    ["::1", ""],
    ["fe80::1%eth0", ""],
  ];
  for (const [hostname, servername] of cases) {
    assertEquals(clientTLSOptions(true, { hostname }).servername, servername);
    assertEquals(
      clientTLSOptions({ serverName: hostname }, HOST).servername,
      servername,
    );
  }
});

Deno.test("clientTLSOptions() takes serverName, then the override, then the host", () => {
  const server = { hostname: "localhost", nameOverride: "b.example" };
  const named = clientTLSOptions({ serverName: "a.example" }, server);
  assertEquals(named.servername, "a.example");
  assertEquals(clientTLSOptions(true, server).servername, "b.example");
  assertEquals(
    clientTLSOptions(true, { ...server, nameOverride: undefined }).servername,
    "localhost",
  );
});

Deno.test("clientTLSOptions() looks for the expected name in the certificate", () => {
  assertEquals(check(true, { hostname: "localhost" }), undefined);
  assertEquals(check({ serverName: "localhost" }, HOST), undefined);
  assertEquals(check(true, { ...HOST, nameOverride: "localhost" }), undefined);
  assertInstanceOf(check(true, HOST), Error);
  assertInstanceOf(
    check({ serverName: "example.com" }, { hostname: "localhost" }),
    Error,
  );
});

Deno.test("clientTLSOptions() looks for an address among the addresses of the certificate", () => {
  const certificate = {
    ...NODE_CERTIFICATE,
    subjectaltname: "DNS:127.0.0.2, IP Address:127.0.0.1",
  };
  assertEquals(check(true, { hostname: "127.0.0.1" }, certificate), undefined);
  assertInstanceOf(check(true, { hostname: "127.0.0.2" }, certificate), Error);
});

Deno.test("clientTLSOptions() leaves the identity to checkServerIdentity", () => {
  const seen: unknown[] = [];
  const no = new Error("no");
  const answers = [undefined, no];
  for (const answer of answers) {
    const found = check({
      checkServerIdentity: (...args) => {
        seen.push(args);
        return answer;
      },
    }, HOST);
    assertStrictEquals(found, answer);
  }
  assertEquals(seen, [["example.com", CERTIFICATE], [
    "example.com",
    CERTIFICATE,
  ]]);
});

Deno.test("clientTLSOptions() takes only undefined of checkServerIdentity for a yes", () => {
  for (const answer of [null, true, false, "", Promise.resolve()]) {
    const found = check({
      checkServerIdentity: () => answer as unknown as undefined,
    }, HOST);
    assertInstanceOf(found, TypeError);
    assertMatch(found.message, /must return an Error or undefined, received /);
  }
});

Deno.test("clientTLSOptions() takes an exception of checkServerIdentity for a no", () => {
  const thrown = new Error("broken");
  const throwing = (error: unknown) =>
    check({
      checkServerIdentity: () => {
        throw error;
      },
    }, HOST);
  assertStrictEquals(throwing(thrown), thrown);
  const found = throwing("broken");
  assertInstanceOf(found, Error);
  assertEquals(found.cause, "broken");
});

Deno.test("clientTLSOptions() refuses half a pair", () => {
  assertThrows(
    () => clientTLSOptions({ cert: CLIENT.cert }, HOST),
    TypeError,
    "Cannot create channel: tls.cert and tls.key need each other, received only tls.cert",
  );
  assertThrows(
    () => clientTLSOptions({ key: CLIENT.key }, HOST),
    TypeError,
    "Cannot create channel: tls.cert and tls.key need each other, received only tls.key",
  );
});

Deno.test("clientTLSOptions() refuses options that are wrong", () => {
  const cases: [unknown, string][] = [
    [null, "tls must be an object, received null"],
    ["yes", "tls must be an object, received string"],
    [false, "tls must be an object, received boolean"],
    [
      { servername: "a" },
      'there is no option "tls.servername", the nearest is "tls.serverName"',
    ],
    [
      { rejectUnauthorized: false },
      'there is no option "tls.rejectUnauthorized"',
    ],
    [
      { serverName: 1 },
      "tls.serverName must be a host name or address, received number",
    ],
    [
      { serverName: "" },
      'tls.serverName must be a host name or address, received ""',
    ],
    [{ serverName: "https://a" }, 'received "https://a"'],
    [
      { minVersion: "TLSv1" },
      'tls.minVersion must be one of "TLSv1.2", "TLSv1.3", received "TLSv1"',
    ],
    [{ minVersion: 1.2 }, "received number"],
    [{ passphrase: 1 }, "tls.passphrase must be a string, received number"],
    [
      { checkServerIdentity: {} },
      "tls.checkServerIdentity must be a function, received Object",
    ],
    [{ ca: 1 }, "tls.ca must be PEM, a string or Uint8Array, received number"],
    [
      { ca: [AUTHORITY.cert, null] },
      "tls.ca must be PEM, a string or Uint8Array, received null",
    ],
    [
      { ca: "/etc/ca.pem" },
      'tls.ca must be PEM, not the name of a file or anything else; there is no "-----BEGIN CERTIFICATE-----" in it',
    ],
    [{ ca: CLIENT.key }, "tls.ca must be PEM"],
    [{ ca: [] }, "tls.ca must not be empty"],
    [{ ca: [undefined] }, "received undefined"],
    [{ ca: new Uint8Array([0x30]) }, "tls.ca must be PEM"],
  ];
  for (const [tls, message] of cases) {
    assertThrows(
      () => clientTLSOptions(tls as ChannelTLSOptions, HOST),
      TypeError,
      message,
    );
  }
});

Deno.test("serverTLSOptions() offers HTTP/2 and TLS 1.2, and asks for no certificate", () => {
  assertEquals(serverTLSOptions(SERVER), {
    ALPNProtocols: ["h2"],
    minVersion: "TLSv1.2",
    cert: SERVER.cert,
    key: SERVER.key,
    requestCert: false,
    rejectUnauthorized: false,
  });
  const { minVersion } = serverTLSOptions({ ...SERVER, minVersion: "TLSv1.3" });
  assertEquals(minVersion, "TLSv1.3");
});

Deno.test("serverTLSOptions() asks for certificates as it is told", () => {
  const ca = AUTHORITY.cert;
  const cases: [Partial<ServerTLSOptions>, string, boolean, boolean][] = [
    [{}, "none", false, false],
    [{ clientCertificates: "none" }, "none", false, false],
    [{ ca }, "require", true, true],
    [{ ca, clientCertificates: "require" }, "require", true, true],
    [{ ca, clientCertificates: "request" }, "request", true, false],
  ];
  for (const [options, mode, requestCert, rejectUnauthorized] of cases) {
    const all = { ...SERVER, ...options };
    assertEquals(clientCertificatesOf(all), mode);
    const found = serverTLSOptions(all);
    assertEquals(found.requestCert, requestCert);
    assertEquals(found.rejectUnauthorized, rejectUnauthorized);
    assertEquals(found.ca, "ca" in options ? [ca] : undefined);
  }
});

Deno.test("serverTLSOptions() takes an encrypted key with its passphrase", () => {
  const key = encrypted(SERVER.key, "secret");
  const options = { cert: SERVER.cert, key, passphrase: "secret" };
  const found = serverTLSOptions(options);
  assertEquals(found.key, key);
  assertEquals(found.passphrase, "secret");
  for (const passphrase of ["wrong", ""]) {
    const error = assertThrows(
      () => serverTLSOptions({ ...options, passphrase }),
      TypeError,
      "Cannot start server: tls.cert and tls.key cannot be read: ",
    );
    assert(error.cause instanceof Error);
  }
});

Deno.test("serverTLSOptions() refuses a key of another certificate", () => {
  assertThrows(
    () => serverTLSOptions({ cert: SERVER.cert, key: CLIENT.key }),
    TypeError,
    "Cannot start server: tls.key is not the key of tls.cert",
  );
});

Deno.test("serverTLSOptions() takes a certificate with those between it and the authority", () => {
  const cert = `${SERVER.cert}${AUTHORITY.cert}`;
  assertEquals(serverTLSOptions({ cert, key: SERVER.key }).cert, cert);
});

Deno.test("serverTLSOptions() refuses options that are wrong", () => {
  const { cert, key } = SERVER;
  const cases: [unknown, string][] = [
    [null, "tls must be an object, received null"],
    [true, "tls must be an object, received boolean"],
    [{}, "tls.cert is needed"],
    [{ cert }, "tls.key is needed"],
    [{ key }, "tls.cert is needed"],
    [{ cert, key, requestCert: true }, 'there is no option "tls.requestCert"'],
    [{ cert, key, serverName: "a" }, 'there is no option "tls.serverName"'],
    [
      { cert, key, clientCertificate: "require" },
      'the nearest is "tls.clientCertificates"',
    ],
    [
      { cert, key, clientCertificates: true },
      'tls.clientCertificates must be one of "none", "request", "require", received boolean',
    ],
    [
      { cert, key, clientCertificates: "require" },
      'tls.clientCertificates "require" needs tls.ca',
    ],
    [
      { cert, key, clientCertificates: "request" },
      'tls.clientCertificates "request" needs tls.ca',
    ],
    [
      { cert, key, ca: cert, clientCertificates: "none" },
      'tls.ca has no use with tls.clientCertificates "none"',
    ],
    [{ cert, key, ca: [] }, "tls.ca must not be empty"],
    [{ cert: key, key }, "tls.cert must be PEM"],
    [
      { cert, key: cert },
      'tls.key must be PEM, not the name of a file or anything else; there is no "-----BEGIN PRIVATE KEY-----" in it',
    ],
    [{ cert, key: `x${key}` }, "tls.key must be PEM"],
    [{
      cert: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
      key,
    }, "tls.cert and tls.key cannot be read: "],
  ];
  for (const [tls, message] of cases) {
    assertThrows(
      () => serverTLSOptions(tls as ServerTLSOptions),
      TypeError,
      `Cannot start server: `,
    );
    assertThrows(
      () => serverTLSOptions(tls as ServerTLSOptions),
      TypeError,
      message,
    );
  }
});

Deno.test("serverTLSOptions() shows nothing of a key in an error", () => {
  const key = SERVER.key.replaceAll("-----", "+++++");
  const secret = SERVER.key.split("\n")[1]!;
  for (const wrong of [key, CLIENT.key]) {
    const error = assertThrows(
      () => serverTLSOptions({ cert: SERVER.cert, key: wrong }),
      TypeError,
    );
    assertFalse(`${error.message}${error.stack}`.includes(secret));
  }
});

Deno.test("peerCertificate() reads a certificate that was asked for and verified", () => {
  const found = peerCertificate(socket(true, NODE_CERTIFICATE), true);
  assertEquals(found, CERTIFICATE);
  assertStrictEquals(found?.raw.constructor, Uint8Array);
});

Deno.test("peerCertificate() leaves out names that there are none of", () => {
  const { subjectaltname: _, ...node } = NODE_CERTIFICATE;
  const found = peerCertificate(socket(true, node), true);
  assertFalse(Object.hasOwn(found!, "subjectAltName"));
});

Deno.test("peerCertificate() has none that was not asked for or not verified", () => {
  for (
    const [authorized, asked] of [[true, false], [false, true], [
      false,
      false,
    ]] as const
  ) {
    assertEquals(
      peerCertificate(socket(authorized, NODE_CERTIFICATE), asked),
      null,
    );
  }
});

Deno.test("peerCertificate() has none when the socket has none", () => {
  for (const nothing of [{}, null, undefined]) {
    assertEquals(peerCertificate(socket(true, nothing), true), null);
  }
});

Deno.test("faultOfProtocol() accepts HTTP/2 alone", () => {
  assertEquals(faultOfProtocol(socket(true, {}, "h2")), undefined);
  const others: [string | false | null, string][] = [
    [false, "none"],
    [null, "none"],
    ["", "none"],
    ["http/1.1", "http/1.1"],
  ];
  for (const [protocol, name] of others) {
    assertEquals(
      faultOfProtocol(socket(true, {}, protocol))?.message,
      `the server did not agree to HTTP/2 in the TLS handshake (ALPN: ${name})`,
    );
  }
});
