/** Connections through an HTTP proxy, with CONNECT. */

import {
  assertEquals,
  assertFalse,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import net from "node:net";
import {
  Channel,
  type ChannelOptions,
  createStub,
  proxyFromEnvironment,
  Status,
} from "../../client.ts";
import { resolveProxy } from "../../core/proxy.ts";
import { Server } from "../../server.ts";
import { Authority } from "../../_testdata/certificates.ts";
import { echo } from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import { assertStatus } from "../../_testdata/waiters.ts";
import { soon, until } from "../../_testdata/waiting.ts";

/** What a proxy answers, in place of a tunnel. */
type Answer = string | "nothing" | "end";

/** A proxy that knows one server, whatever it is asked for. */
class Proxy implements AsyncDisposable {
  /** The heads of the requests. */
  readonly requests: string[] = [];
  readonly #server = net.createServer((client) => this.#accept(client));
  readonly #sockets = new Set<net.Socket>();
  readonly #toServer: number;
  readonly #answer: Answer | undefined;
  port = 0;

  constructor(toServer: number, answer?: Answer) {
    this.#toServer = toServer;
    this.#answer = answer;
  }

  async start(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.port = (this.#server.address() as net.AddressInfo).port;
    return this;
  }

  /** How many connections there are. */
  get connections(): number {
    return this.#sockets.size;
  }

  #accept(client: net.Socket): void {
    this.#track(client);
    let head = "";
    const onData = (chunk: Uint8Array): void => {
      head += Buffer.from(chunk).toString("latin1");
      if (!head.endsWith("\r\n\r\n")) return;
      client.off("data", onData);
      this.requests.push(head);
      this.#reply(client);
    };
    client.on("data", onData);
  }

  #reply(client: net.Socket): void {
    if (this.#answer === "nothing") return;
    if (this.#answer === "end") return void client.end();
    if (this.#answer !== undefined) return void client.write(this.#answer);
    const server = net.connect(this.#toServer, "127.0.0.1");
    this.#track(server);
    const yes = "HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n";
    // The first of the server goes into one packet with the answer, if it says
    // something by itself, as servers of HTTP/2 do.
    const timer = setTimeout(() => {
      server.off("data", onFirst);
      client.write(yes);
      join();
    }, 50);
    const onFirst = (chunk: Uint8Array): void => {
      clearTimeout(timer);
      client.write(Buffer.concat([Buffer.from(yes), chunk]));
      join();
    };
    const join = (): void => {
      server.off("data", onFirst);
      server.pipe(client);
      client.pipe(server);
    };
    server.once("data", onFirst);
  }

  #track(socket: net.Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, "close");
    await until(() => this.#sockets.size === 0, "all sockets are closed");
  }
}

async function call(channel: Channel): Promise<string> {
  const { unary } = createStub(Echo, channel);
  return (await soon(unary({ text: "a" }))).text;
}

Deno.test("Channel connects through a proxy, which is told the name and the credentials", async () => {
  await using server = new Server([echo]);
  await server.start("127.0.0.1");
  await using proxy = await new Proxy(server.port!).start();
  await using channel = new Channel("server.test", 443, {
    proxy: `http://us%C3%A9r:p%40ss@127.0.0.1:${proxy.port}`,
  });
  assertEquals(await call(channel), "a");
  const [line, ...fields] = proxy.requests[0]!.trim().split("\r\n");
  assertEquals(line, "CONNECT server.test:443 HTTP/1.1");
  assertEquals(fields[0], "Host: server.test:443");
  const credentials = Buffer.from("usér:p@ss").toString("base64");
  assertEquals(fields[2], `Proxy-Authorization: Basic ${credentials}`);
  assertEquals(fields.length, 3);
  for (let i = 0; i < 20; i++) assertEquals(await call(channel), "a");
  assertEquals(proxy.requests.length, 1);
});

Deno.test("Channel encrypts what goes through a proxy, by the name of the server", async () => {
  const authority = new Authority();
  const { cert, key } = authority.issue({
    commonName: "server",
    hosts: ["server.test"],
  });
  await using server = new Server([echo]);
  await server.start("127.0.0.1", 0, { tls: { cert, key } });
  await using proxy = await new Proxy(server.port!).start();
  await using channel = new Channel("server.test", 443, {
    proxy: new URL(`http://127.0.0.1:${proxy.port}`),
    tls: { ca: authority.cert },
  });
  assertEquals(await call(channel), "a");
  assertFalse(proxy.requests[0]!.includes("Proxy-Authorization"));
});

Deno.test("Each address of a balanced channel is connected to through the proxy, but for exceptions", async () => {
  await using server = new Server([echo]);
  await server.start("127.0.0.1");
  await using proxy = await new Proxy(server.port!).start();
  await using channel = new Channel({
    target: ["a.test:1", "10.0.0.1:2", `127.0.0.1:${server.port}`],
    balancing: "round_robin",
    proxy: {
      url: `http://127.0.0.1:${proxy.port}`,
      noProxy: ["127.0.0.0/8"],
    },
  });
  channel.connect();
  await until(
    () => channel.endpoints.filter((it) => it.state === "READY").length === 3,
    "all are connected",
  );
  const lines = proxy.requests.map((head) => head.split("\r\n")[0]);
  assertEquals(lines.sort(), [
    "CONNECT 10.0.0.1:2 HTTP/1.1",
    "CONNECT a.test:1 HTTP/1.1",
  ]);
});

const REFUSALS: readonly (readonly [answer: Answer, words: string])[] = [
  ["HTTP/1.1 403 Forbidden\r\n\r\n", "it answers CONNECT with 403 Forbidden"],
  [
    "HTTP/1.1 407 Proxy Authentication Required\r\nA: b\r\n\r\nbody",
    "407 Proxy Authentication Required, it wants credentials",
  ],
  ["HTTP/1.0 502\r\n\r\n", "it answers CONNECT with 502"],
  ["HTTP/1.1 403 \x1b[1mÜ\r\n\r\n", "it answers CONNECT with 403 ?[1m??"],
  ["SSH-2.0-x\r\n\r\n", "something else than HTTP/1.1"],
  [`HTTP/1.1 200 ${"x".repeat(20_000)}`, "it answers CONNECT with too much"],
  ["end", "the connection was closed before it answered CONNECT"],
  ["nothing", " to CONNECT within 300 ms"],
];

for (const [answer, words] of REFUSALS) {
  Deno.test(`Calls fail when the proxy answers ${answer.slice(0, 20).trim()}`, async () => {
    await using proxy = await new Proxy(1, answer).start();
    await using channel = new Channel("server.test", 443, {
      // What waits for TLS waits for the proxy first.
      tls: answer === "nothing",
      proxy: `http://user:secret@127.0.0.1:${proxy.port}`,
      config: { connectTimeoutMs: answer === "nothing" ? 300 : 20_000 },
    });
    const { message } = await assertStatus(
      Status.UNAVAILABLE,
      () => call(channel),
      "Cannot connect to server.test:443: ",
    );
    assertStringIncludes(message, words);
    assertStringIncludes(
      message,
      answer === "nothing"
        ? `no answer of proxy 127.0.0.1:${proxy.port} to CONNECT`
        : `proxy 127.0.0.1:${proxy.port}: `,
    );
    assertFalse(message.includes("secret"));
    await until(() => proxy.connections === 0, "the connection is closed");
  });
}

Deno.test("Calls fail when the proxy cannot be connected to", async () => {
  const proxy = await new Proxy(1).start();
  await proxy[Symbol.asyncDispose]();
  await using channel = new Channel("server.test", 443, {
    proxy: `http://127.0.0.1:${proxy.port}`,
  });
  const { message } = await assertStatus(
    Status.UNAVAILABLE,
    () => call(channel),
  );
  assertStringIncludes(message, `proxy 127.0.0.1:${proxy.port}: `);
  assertStringIncludes(message, "ECONNREFUSED");
});

Deno.test("Channel.close() gives up a proxy that does not answer", async () => {
  await using proxy = await new Proxy(1, "nothing").start();
  const channel = new Channel("server.test", 443, {
    proxy: `http://127.0.0.1:${proxy.port}`,
  });
  const failed = assertStatus(Status.CANCELLED, () => call(channel));
  await until(() => proxy.requests.length === 1, "the proxy is asked");
  await channel.close();
  await failed;
  await until(() => proxy.connections === 0, "the connection is closed");
});

// Rules

Deno.test("noProxy names the servers that no proxy is used for", () => {
  for (
    const [rule, exceptions, others] of [
      ["*", ["a.b:1", "1.2.3.4:5", "::1"], []],
      ["example.com", ["example.com:1", "a.example.com", "EXAMPLE.com.:2"], [
        ...["notexample.com", "example.com.evil", "com"],
      ]],
      [".example.com", ["a.example.com", "b.a.example.com"], ["example.com"]],
      ["*.example.com", ["a.example.com"], ["example.com"]],
      ["Example.com:443", ["example.com:443"], ["example.com:80"]],
      ["10.0.0.1", ["10.0.0.1:1"], ["10.0.0.2", "10.0.0.1.example.com"]],
      ["10.0.0.1:5", ["10.0.0.1:5"], ["10.0.0.1:6"]],
      ["10.0.0.0/8", ["10.9.8.7", "10.0.0.0"], ["11.0.0.1", "a.10.0.0.0"]],
      ["10.128.0.0/9", ["10.128.0.1", "10.255.0.1"], ["10.127.255.255"]],
      ["192.168.1.64/26", ["192.168.1.127"], ["192.168.1.128"]],
      ["0.0.0.0/0", ["1.2.3.4"], ["::1", "a.b"]],
      ["[::1]", ["::1", "0:0:0:0:0:0:0:1"], ["::2", "127.0.0.1"]],
      ["[fd00::1]:5", ["[fd00::1]:5"], ["[fd00::1]:6"]],
      ["fd00::/8", ["fd00::1", "fdff::"], ["fe00::1"]],
    ] as const
  ) {
    const proxy = resolveProxy("", {
      url: "http://proxy:1",
      noProxy: ["other.test", rule],
    })!;
    const takes = (server: string): boolean => {
      const [, host = server, port = "1"] =
        /^(\[.*\]|[^:]*):([0-9]+)$/.exec(server) ?? [];
      return proxy.takes(host.replace(/^\[(.*)\]$/, "$1"), Number(port));
    };
    for (const it of exceptions) {
      assertEquals(takes(it), false, `${rule} ${it}`);
    }
    for (const it of others) assertEquals(takes(it), true, `${rule} ${it}`);
  }
});

Deno.test("proxyFromEnvironment() reads the variables that other clients read", () => {
  const local = ["localhost", "127.0.0.0/8", "[::1]"];
  for (
    const [env, proxy] of [
      [{}, null],
      [{ https_proxy: "" }, null],
      [{ http_proxy: "http://a:1" }, { url: "http://a:1", noProxy: local }],
      [{ http_proxy: "http://a:1", grpc_proxy: "http://b:1" }, {
        url: "http://b:1",
        noProxy: local,
      }],
      [{ HTTPS_PROXY: "http://a:1", NO_PROXY: "x.y, 10.0.0.0/8,," }, {
        url: "http://a:1",
        noProxy: [...local, "x.y", "10.0.0.0/8"],
      }],
      [{ https_proxy: "http://a:1", no_proxy: "a", no_grpc_proxy: "b" }, {
        url: "http://a:1",
        noProxy: [...local, "b"],
      }],
      // What others have an environment for, and this library no rule.
      [{ https_proxy: "http://a:1", no_proxy: "<local>,192.168.*,x.y" }, {
        url: "http://a:1",
        noProxy: [...local, "x.y"],
      }],
    ] as const
  ) {
    assertEquals(proxyFromEnvironment(env), proxy);
    new Channel({ proxy });
  }
});

Deno.test("Channel() refuses a proxy that is none, and does not say what it was", () => {
  for (
    const [options, message] of [
      [{ proxy: "secret" }, 'proxy must be a URL such as "http://'],
      [{ proxy: "https://secret:443" }, "proxy must be a URL"],
      [{ proxy: "http://secret/path" }, "proxy must be a URL"],
      [{ proxy: "http://secret:0" }, "proxy must be a URL"],
      [{ proxy: "http://me:secret%@a:1" }, "proxy must be a URL"],
      [{ proxy: {} }, "proxy must be a URL"],
      [{ proxy: 5 }, "proxy must be an object"],
      [{ proxy: { url: "http://a", no_proxy: [] } }, "proxy.no_proxy"],
      [
        { proxy: { url: "http://a", noProxy: "b" } },
        "must be a list of strings",
      ],
      [{ proxy: { url: "http://a", noProxy: ["a b"] } }, 'received "a b"'],
      [
        { proxy: { url: "http://a", noProxy: ["10.0.0.0/33"] } },
        "noProxy has to",
      ],
      [{ proxy: "http://a", connect: () => {} }, "received proxy as well"],
    ] as const
  ) {
    const error = assertThrows(
      () => new Channel(options as unknown as ChannelOptions),
      TypeError,
    );
    assertStringIncludes(error.message, message);
    assertFalse(error.message.includes("secret"));
  }
});
