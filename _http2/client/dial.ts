/**
 * From an address to a connected socket.
 *
 * @module
 */

import net from "node:net";
import process from "node:process";
import { explainPermission } from "../permission.ts";
import { setRef } from "../socket.ts";

/**
 * How long the runtime tries an address of a name alone. It comes to that where
 * there is a permission for the name, and none for its addresses.
 */
const HEAD_START_MS = 250;

/** Where to connect to: a host and port, or the path of a unix socket. */
export type Endpoint =
  | { readonly hostname: string; readonly port: number }
  | { readonly path: string };

/** The one who wants the socket. Exactly one of its methods is called, once. */
export interface DialOwner {
  onSocket(socket: net.Socket): void;
  onFailure(error: Error): void;
}

/** Makes a socket that connects, as `net.connect` does. */
export type Connect = (options: net.NetConnectOpts) => net.Socket;

/** An attempt to connect. */
export class Dial {
  readonly #owner: DialOwner;
  #socket: net.Socket | undefined;
  #over = false;

  constructor(
    endpoint: Endpoint,
    owner: DialOwner,
    connect: Connect = net.connect,
  ) {
    this.#owner = owner;
    const fail = (error: Error): void =>
      this.#fail(explainPermission(error, endpoint));
    let socket: net.Socket;
    try {
      socket = connect(optionsOf(endpoint));
    } catch (error) {
      // Such as a missing permission. Told later, as other failures are.
      process.nextTick(() => fail(error as Error));
      return;
    }
    this.#socket = socket;
    const onClose = (): void => fail(new Error("the socket was closed"));
    socket.on("error", fail);
    socket.on("close", onClose);
    socket.once("connect", () => {
      if (this.#over) return;
      this.#over = true;
      socket.off("error", fail);
      socket.off("close", onClose);
      owner.onSocket(socket);
    });
  }

  /** Gives up; the owner is told nothing. */
  cancel(): void {
    this.#over = true;
    this.#socket?.destroy();
  }

  /** Says whether it keeps the process alive; looking up a name always does. */
  setRef(needed: boolean): void {
    setRef(this.#socket ?? null, needed);
  }

  #fail(error: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#owner.onFailure(error);
  }
}

function optionsOf(endpoint: Endpoint): net.NetConnectOpts {
  if ("path" in endpoint) return { path: endpoint.path };
  const { hostname: host, port } = endpoint;
  return {
    host,
    port,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: HEAD_START_MS,
  };
}
