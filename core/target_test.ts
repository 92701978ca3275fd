import { assertEquals, assertThrows } from "@std/assert";
import {
  formatTarget,
  parseTarget,
  pathTargetOf,
  type Target,
  targetOf,
} from "./target.ts";

function host(hostname: string, port: number, authority: string): Target {
  return { kind: "host", hostname, port, authority };
}

function path(path: string): Target {
  return { kind: "path", path, authority: "localhost" };
}

Deno.test("parseTarget() reads hosts with and without a port", () => {
  const cases: [string, Target][] = [
    ["example.com:443", host("example.com", 443, "example.com:443")],
    ["example.com", host("example.com", 50051, "example.com:50051")],
    ["example.com.:1", host("example.com.", 1, "example.com:1")],
    ["my_service-1:65535", host("my_service-1", 65535, "my_service-1:65535")],
    ["localhost:50052", host("localhost", 50052, "localhost:50052")],
    ["127.0.0.1:50051", host("127.0.0.1", 50051, "127.0.0.1:50051")],
    ["127.0.0.1", host("127.0.0.1", 50051, "127.0.0.1:50051")],
    ["[::1]:80", host("::1", 80, "[::1]:80")],
    ["[::1]", host("::1", 50051, "[::1]:50051")],
    ["::1", host("::1", 50051, "[::1]:50051")],
    ["::", host("::", 50051, "[::]:50051")],
    ["fe80::1", host("fe80::1", 50051, "[fe80::1]:50051")],
    [
      "a:b:c:d:1:2:3:4",
      host("a:b:c:d:1:2:3:4", 50051, "[a:b:c:d:1:2:3:4]:50051"),
    ],
    ["::ffff:1.2.3.4", host("::ffff:1.2.3.4", 50051, "[::ffff:1.2.3.4]:50051")],
  ];
  for (const [text, target] of cases) {
    assertEquals(parseTarget(text), target);
    assertEquals(parseTarget(`dns:${text}`), target);
    assertEquals(parseTarget(`dns:///${text}`), target);
    assertEquals(parseTarget(`DNS:///${text}`), target);
  }
});

Deno.test("parseTarget() keeps the zone of an address out of the authority", () => {
  assertEquals(
    parseTarget("[fe80::1%eth0]:1"),
    host("fe80::1%eth0", 1, "[fe80::1]:1"),
  );
  assertEquals(
    parseTarget("fe80::1%eth0"),
    host("fe80::1%eth0", 50051, "[fe80::1]:50051"),
  );
});

Deno.test("parseTarget() reads addresses", () => {
  const cases: [string, Target][] = [
    ["ipv4:1.2.3.4:50052", host("1.2.3.4", 50052, "1.2.3.4:50052")],
    ["ipv4:1.2.3.4", host("1.2.3.4", 50051, "1.2.3.4:50051")],
    ["ipv4:///1.2.3.4:1", host("1.2.3.4", 1, "1.2.3.4:1")],
    [
      "ipv4:255.255.255.255",
      host("255.255.255.255", 50051, "255.255.255.255:50051"),
    ],
    ["ipv6:[::1]:50052", host("::1", 50052, "[::1]:50052")],
    ["ipv6:[::1]", host("::1", 50051, "[::1]:50051")],
    ["ipv6:::1", host("::1", 50051, "[::1]:50051")],
    ["ipv6:///[::1]:1", host("::1", 1, "[::1]:1")],
  ];
  for (const [text, target] of cases) assertEquals(parseTarget(text), target);
});

Deno.test("parseTarget() reads the paths of unix sockets", () => {
  const cases: [string, Target][] = [
    ["unix:run/x.sock", path("run/x.sock")],
    ["unix:/run/x.sock", path("/run/x.sock")],
    ["unix:///run/x.sock", path("/run/x.sock")],
    ["unix:./a b:1", path("./a b:1")],
    ["unix:50051", path("50051")],
    ["unix-abstract:name", path("\0name")],
    ["unix-abstract:/a/b", path("\0/a/b")],
  ];
  for (const [text, target] of cases) assertEquals(parseTarget(text), target);
});

Deno.test("parseTarget() refuses to choose a DNS server", () => {
  for (const text of ["dns://8.8.8.8/example.com:1", "dns://example.com:1"]) {
    assertThrows(
      () => parseTarget(text),
      TypeError,
      `Cannot create channel: a DNS server cannot be chosen, a name is "dns:///host:port", received "${text}"`,
    );
  }
});

Deno.test("parseTarget() refuses unknown schemes and names the known ones", () => {
  const cases: [string, string][] = [
    ["xds:///service", "xds"],
    ["https://example.com", "https"],
    ["vsock:2:50051", "vsock"],
    ["localhost:http", "localhost"],
    ["unixx:/run/x.sock", "unixx"],
    ["example.com:", "example.com"],
  ];
  for (const [text, scheme] of cases) {
    assertThrows(
      () => parseTarget(text),
      TypeError,
      `Cannot create channel: there is no scheme "${scheme}", only dns, ipv4, ipv6, unix, unix-abstract, received "${text}"`,
    );
  }
});

Deno.test("parseTarget() refuses what is no target", () => {
  const texts = [
    ...["", ":", ":50051", "[::1", "::1]", "[]", "[]:1", "[::1]1", "[::1]:x"],
    ...["[localhost]:1", "[127.0.0.1]:1", "a b:1", "a/b", "/run/x.sock"],
    ...["50051", "dns:50051", "dns:", "dns:///", "dns:////a", "a:b:1"],
    ...["::1::", "1:2:3", "1:2:3:4:5:6:7:8:9", "1::2:3:4:5:6:7:8", ":::"],
    ...["::12345", "::g", "::1.2.3", "::1.2.3.4.5", "::256.1.1.1", "::1%"],
    ...["1.2.3.4::", "1::1.2.3.4:5", "1:1.2.3.4", "[::1%]:1", "[::1%a/b]:1"],
    ...["ipv4:localhost", "ipv4:1.2.3", "ipv4:1.2.3.256", "ipv4:01.2.3.4"],
    ...["ipv4:1.2.3.4,5.6.7.8", "ipv4:[::1]:1", "ipv4:", "ipv4://1.2.3.4"],
    ...["ipv6:1.2.3.4", "ipv6:localhost", "ipv6:[::1]:1,[::2]:1", "ipv6:"],
    ...["unix:", "unix://", "unix://run/x.sock", "unix:a\0b", "unix-abstract:"],
    ...["unix-abstract:\0a", "unix-abstract:a\0b", "example.com:1\n"],
  ];
  for (const text of texts) {
    assertThrows(
      () => parseTarget(text),
      TypeError,
      "Cannot create channel: ",
      JSON.stringify(text),
    );
  }
});

Deno.test("parseTarget() refuses ports that there are none of", () => {
  for (const port of ["0", "65536", "99999999999999999999"]) {
    for (const name of ["localhost", "[::1]", "dns:///a", "ipv4:1.2.3.4"]) {
      assertThrows(
        () => parseTarget(`${name}:${port}`),
        RangeError,
        `Cannot create channel: port must be an integer from 1 to 65535, received ${
          Number(port)
        }`,
      );
    }
  }
});

Deno.test("parseTarget(), targetOf() and pathTargetOf() refuse what is no string", () => {
  for (const value of [undefined, null, 1, {}] as unknown as string[]) {
    assertThrows(() => parseTarget(value), TypeError, "must be a string");
    assertThrows(() => targetOf(value, 1), TypeError, "must be a string");
    assertThrows(() => pathTargetOf(value), TypeError, "must be a string");
  }
});

Deno.test("targetOf() takes hosts and addresses, with and without brackets", () => {
  const cases: [string, Target][] = [
    ["localhost", host("localhost", 1, "localhost:1")],
    ["127.0.0.1", host("127.0.0.1", 1, "127.0.0.1:1")],
    ["::1", host("::1", 1, "[::1]:1")],
    ["[::1]", host("::1", 1, "[::1]:1")],
  ];
  for (const [name, target] of cases) assertEquals(targetOf(name, 1), target);
});

Deno.test("targetOf() refuses what is no host", () => {
  const names = [
    ...["", "a:1", "a b", "a/b", "[a]", "[127.0.0.1]", "[]", "[::1", "127"],
    ...["unix:a", "a\n", "é"],
  ];
  for (const name of names) {
    assertThrows(
      () => targetOf(name, 1),
      TypeError,
      `Cannot create channel: a host name or address is needed, received "${name}"`,
    );
  }
});

Deno.test("targetOf() refuses ports that there are none of", () => {
  for (const port of [0, -1, 65536, 1.5, NaN]) {
    assertThrows(
      () => targetOf("localhost", port),
      RangeError,
      `received ${port}`,
    );
  }
  assertThrows(
    () => targetOf("localhost", "1" as unknown as number),
    TypeError,
    'received "1"',
  );
});

Deno.test("pathTargetOf() takes paths and names in the abstract namespace", () => {
  for (const one of ["/run/x.sock", "x", "\0name", "a\nb"]) {
    assertEquals(pathTargetOf(one), path(one));
  }
});

Deno.test("pathTargetOf() refuses paths that no socket has", () => {
  for (const one of ["", "\0", "a\0b", "\0\0a"]) {
    assertThrows(
      () => pathTargetOf(one),
      TypeError,
      `Cannot create channel: the path of a unix socket is needed, received ${
        JSON.stringify(one)
      }`,
    );
  }
});

Deno.test("formatTarget() writes what parseTarget() reads", () => {
  const texts = [
    ...["example.com:443", "127.0.0.1:1", "[::1]:50051", "[fe80::1%eth0]:1"],
    ...["unix:/run/x.sock", "unix:x", "unix-abstract:name"],
  ];
  for (const text of texts) {
    assertEquals(formatTarget(parseTarget(text)), text);
  }
  const targets = [
    ...["dns", "DNS", "ipv4", "ipv6", "unix"].map((host) => targetOf(host, 80)),
    ...["//x", "//x/y", "///x", "dns:x"].map(pathTargetOf),
  ];
  for (const target of targets) {
    assertEquals(parseTarget(formatTarget(target)), target);
  }
});
