/**
 * A stretch of TCP between a client and a server, on which things go wrong.
 *
 * @module
 */

import net from "node:net";
import type { Random } from "./random.ts";

interface Pair {
  readonly near: net.Socket;
  readonly far: net.Socket;
}

/** A port that passes everything on to another one. */
export class Proxy implements AsyncDisposable {
  readonly #server: net.Server;
  readonly #pairs = new Set<Pair>();
  #refusing = false;

  private constructor(server: net.Server) {
    this.#server = server;
  }

  /** Opens a port that leads to another. */
  static async open(to: number): Promise<Proxy> {
    const server = net.createServer({ allowHalfOpen: true });
    const proxy = new Proxy(server);
    server.on("connection", (near) => proxy.#join(near, to));
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(0, "127.0.0.1", () => resolve());
    await promise;
    return proxy;
  }

  /** The port. */
  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** Has something go wrong; gives what. */
  strike(random: Random): string {
    const what = random.pick(
      ["cut", "reset", "near end", "far end", "stall", "half stall", "refuse"],
    );
    if (what === "refuse") this.#refusing = true;
    for (const { near, far } of this.#pairs) {
      switch (what) {
        case "cut":
          near.destroy();
          far.destroy();
          break;
        case "reset":
          near.resetAndDestroy();
          far.resetAndDestroy();
          break;
        case "near end":
          near.end();
          break;
        case "far end":
          far.end();
          break;
        case "stall":
          near.pause();
          far.pause();
          break;
        case "half stall":
          random.pick([near, far]).pause();
          break;
        case "refuse":
          near.destroy();
          far.destroy();
          break;
      }
    }
    return what;
  }

  /** Lets everything pass from now on. */
  heal(): void {
    this.#refusing = false;
    for (const { near, far } of this.#pairs) {
      near.resume();
      far.resume();
    }
  }

  /** Closes the port and all connections by it. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    for (const { near, far } of this.#pairs) {
      near.destroy();
      far.destroy();
    }
    await promise;
  }

  #join(near: net.Socket, to: number): void {
    if (this.#refusing) {
      near.on("error", () => {});
      near.destroy();
      return;
    }
    const far = net.connect({
      host: "127.0.0.1",
      port: to,
      allowHalfOpen: true,
    });
    const pair = { near, far };
    this.#pairs.add(pair);
    for (const [from, to] of [[near, far], [far, near]] as const) {
      from.on("error", () => {});
      from.on("data", (chunk) => {
        if (!to.destroyed && !to.writableEnded) to.write(chunk);
      });
      from.on("end", () => to.end());
      from.on("close", () => {
        to.destroy();
        this.#pairs.delete(pair);
      });
    }
  }
}
