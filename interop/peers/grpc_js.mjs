/**
 * The client and the server of the interoperability tests, with grpc-js, under
 * Node or Deno: run by `_testdata/run_peer.ts`.
 *
 *     … server --port=10000 [--tls_cert_file= --tls_key_file=]
 *     … client --server_port=10000 --test_case=a,b [--ca_file=]
 *
 * The client prints a line for each case: "ok name" or "FAILED name: why".
 */

import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { requireFrom } from "../../_testdata/require_from.mjs";

const [, , packages, role, ...args] = process.argv;
const flags = Object.fromEntries(
  args.map((arg) => arg.replace(/^--/, "").split("=")),
);

const require = await requireFrom(packages);
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");
const definition = loader.loadSync("grpc/testing/test.proto", {
  includeDirs: [fileURLToPath(new URL("../proto", import.meta.url))],
  keepCase: true,
  defaults: true,
});
const { TestService, UnimplementedService } =
  grpc.loadPackageDefinition(definition).grpc.testing;

const ECHO_INITIAL = "x-grpc-test-echo-initial";
const ECHO_TRAILING = "x-grpc-test-echo-trailing-bin";
const payload = (size) => ({ body: Buffer.alloc(size) });

// The server

function begin(call) {
  const initial = new grpc.Metadata();
  const trailing = new grpc.Metadata();
  for (const value of call.metadata.get(ECHO_INITIAL)) {
    initial.add(ECHO_INITIAL, value);
  }
  for (const value of call.metadata.get(ECHO_TRAILING)) {
    trailing.add(ECHO_TRAILING, value);
  }
  call.sendMetadata(initial);
  return trailing;
}

function errorOf({ response_status: status }) {
  if (!status || status.code === 0) return null;
  return { code: status.code, details: status.message };
}

/** Writes replies, and waits when there are too many. */
function reply(call, sizes, done) {
  const next = () => {
    while (sizes.length > 0) {
      const more = call.write({ payload: payload(sizes.shift()) });
      if (!more && sizes.length > 0) return call.once("drain", next);
    }
    done?.();
  };
  next();
}

const sizesOf = ({ response_parameters: all }) => all.map(({ size }) => size);

const implementation = {
  EmptyCall: (_call, callback) => callback(null, {}),
  UnaryCall(call, callback) {
    const trailing = begin(call);
    const error = errorOf(call.request);
    if (error) return callback(error);
    const { response_size: size } = call.request;
    callback(null, { payload: payload(size) }, trailing);
  },
  StreamingOutputCall(call) {
    reply(call, sizesOf(call.request), () => call.end());
  },
  StreamingInputCall(call, callback) {
    let size = 0;
    call.on("data", ({ payload }) => size += payload.body.length);
    call.on("end", () => callback(null, { aggregated_payload_size: size }));
  },
  FullDuplexCall(call) {
    const trailing = begin(call);
    call.on("error", () => {});
    call.on("data", (request) => {
      const error = errorOf(request);
      if (error) call.emit("error", error);
      else reply(call, sizesOf(request));
    });
    call.on("end", () => call.end(trailing));
  },
};

function serve() {
  const server = new grpc.Server();
  server.addService(TestService.service, implementation);
  const credentials = flags.tls_cert_file === undefined
    ? grpc.ServerCredentials.createInsecure()
    : grpc.ServerCredentials.createSsl(null, [{
      private_key: readFileSync(flags.tls_key_file),
      cert_chain: readFileSync(flags.tls_cert_file),
    }]);
  server.bindAsync(`127.0.0.1:${flags.port}`, credentials, (error) => {
    if (error) throw error;
    process.stdout.write(`Serving on 127.0.0.1:${flags.port}\n`);
  });
}

// The client

const REQUESTS = [27182, 8, 1828, 45904];
const REPLIES = [31415, 9, 2653, 58979];
const LARGE = { response_size: 314159, payload: payload(271828) };
const SPECIAL =
  "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";

/** What came of a call: its replies, its metadata, its status. */
function outcome(start) {
  return new Promise((resolve) => {
    const result = { replies: [] };
    const call = start((_error, reply) => {
      if (reply) result.replies.push(reply);
    });
    call.on("metadata", (metadata) => result.initial = metadata);
    call.on("data", (reply) => result.replies.push(reply));
    call.on("error", () => {});
    call.on("status", (status) => {
      // The reply of a unary call is told after its status.
      setImmediate(() => resolve({ ...result, ...status }));
    });
  });
}

function options(ms = 20_000) {
  return { deadline: Date.now() + ms };
}

function cases(client, unimplemented) {
  const none = new grpc.Metadata();
  const unary = (name, request, metadata = none) =>
    outcome((done) => client[name](request, metadata, options(), done));
  const duplex = (requests, metadata = none) =>
    outcome(() => {
      const call = client.FullDuplexCall(metadata, options());
      for (const request of requests) call.write(request);
      call.end();
      return call;
    });
  const sized = (...sizes) => ({
    response_parameters: sizes.map((size) => ({ size })),
  });
  const status = async (message) => {
    const request = { response_status: { code: 2, message } };
    for (
      const { code, details } of [
        await unary("UnaryCall", request),
        await duplex([request]),
      ]
    ) {
      assert.deepEqual([code, details], [2, message]);
    }
  };
  const largeUnary = async () => {
    const { code, replies } = await unary("UnaryCall", LARGE);
    assert.equal(code, 0);
    assert.equal(replies[0].payload.body.length, 314159);
  };
  return {
    async empty_unary() {
      assert.equal((await unary("EmptyCall", {})).code, 0);
    },
    large_unary: largeUnary,
    async client_streaming() {
      const { replies } = await outcome((done) => {
        const call = client.StreamingInputCall(options(), done);
        for (const size of REQUESTS) call.write({ payload: payload(size) });
        call.end();
        return call;
      });
      assert.equal(replies[0].aggregated_payload_size, 74922);
    },
    async server_streaming() {
      const { code, replies } = await outcome(() =>
        client.StreamingOutputCall(sized(...REPLIES), options())
      );
      assert.equal(code, 0);
      const sizes = replies.map(({ payload }) => payload.body.length);
      assert.deepEqual(sizes, REPLIES);
    },
    async ping_pong() {
      let index = 0;
      const { code, replies } = await outcome(() => {
        const call = client.FullDuplexCall(options());
        const ping = () => {
          if (index === REPLIES.length) return call.end();
          const size = REQUESTS[index];
          call.write({ ...sized(REPLIES[index++]), payload: payload(size) });
        };
        call.on("data", ping);
        ping();
        return call;
      });
      assert.equal(code, 0);
      const sizes = replies.map(({ payload }) => payload.body.length);
      assert.deepEqual(sizes, REPLIES);
    },
    async empty_stream() {
      const { code, replies } = await duplex([]);
      assert.deepEqual([code, replies], [0, []]);
    },
    async custom_metadata() {
      const metadata = new grpc.Metadata();
      metadata.set(ECHO_INITIAL, "test_initial_metadata_value");
      metadata.set(ECHO_TRAILING, Buffer.from("ababab", "hex"));
      for (
        const result of [
          await unary("UnaryCall", LARGE, metadata),
          await duplex([sized(314159)], metadata),
        ]
      ) {
        assert.equal(
          result.initial.get(ECHO_INITIAL)[0],
          "test_initial_metadata_value",
        );
        const [bytes] = result.metadata.get(ECHO_TRAILING);
        assert.equal(bytes.toString("hex"), "ababab");
      }
    },
    status_code_and_message: () => status("test status message"),
    special_status_message: () => status(SPECIAL),
    async unimplemented_method() {
      assert.equal((await unary("UnimplementedCall", {})).code, 12);
    },
    async unimplemented_service() {
      const { code } = await outcome((done) =>
        unimplemented.UnimplementedCall({}, options(), done)
      );
      assert.equal(code, 12);
    },
    async cancel_after_begin() {
      const { code } = await outcome((done) => {
        const call = client.StreamingInputCall(options(), done);
        setImmediate(() => call.cancel());
        return call;
      });
      assert.equal(code, 1);
    },
    async cancel_after_first_response() {
      const { code, replies } = await outcome(() => {
        const call = client.FullDuplexCall(options());
        call.write(sized(31415));
        call.on("data", () => call.cancel());
        return call;
      });
      assert.deepEqual([code, replies.length], [1, 1]);
    },
    async timeout_on_sleeping_server() {
      const { code } = await outcome(() => {
        const call = client.FullDuplexCall(options(10));
        call.write({ payload: payload(27182) });
        return call;
      });
      assert.equal(code, 4);
    },
    async rpc_soak() {
      for (let i = 0; i < 10; i++) await largeUnary();
    },
  };
}

async function runCases() {
  const target = `localhost:${flags.server_port}`;
  const credentials = flags.ca_file === undefined
    ? grpc.credentials.createInsecure()
    : grpc.credentials.createSsl(readFileSync(flags.ca_file));
  const all = cases(
    new TestService(target, credentials),
    new UnimplementedService(target, credentials),
  );
  let failed = false;
  for (const name of flags.test_case.split(",")) {
    try {
      await all[name]();
      process.stdout.write(`ok ${name}\n`);
    } catch (error) {
      failed = true;
      const why = `${error}`.replaceAll("\n", " ");
      process.stdout.write(`FAILED ${name}: ${why}\n`);
    }
  }
  process.exit(failed ? 1 : 0);
}

if (role === "server") serve();
else await runCases();
