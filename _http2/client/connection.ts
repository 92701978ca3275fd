/**
 * One HTTP/2 connection of a channel, from its connect to its end.
 *
 * @module
 */

import process from "node:process";
import type { Duplex } from "node:stream";
import { Account, type AccountOwner } from "../../_call/account.ts";
import type { CloseReason, StreamClaim } from "../../_call/byte_stream.ts";
import type { ConnectionFigures, LookedAt } from "../../core/_figures.ts";
import type { ClockTimer } from "../../core/clock.ts";
import { Peer } from "../../core/peer.ts";
import type { Address } from "./addresses.ts";
import type { SocketAttempt } from "./connect.ts";
import type { Dialing } from "./dialing.ts";
import type { H2ClientOwner, H2ClientSession, H2Stream } from "../engine.ts";
import { FullAccount } from "../full_account.ts";
import { IdleTimer } from "./idle_timer.ts";
import { Keepalive, type KeepaliveOwner } from "../keepalive.ts";
import { DrainWatch } from "../drain_watch.ts";
import { openConnections } from "../open_connections.ts";
import { peerOf, setRef, socketFigures } from "../socket.ts";
import { ResetBudget } from "../reset_budget.ts";
import { ENHANCE_YOUR_CALM, reasonOfGoaway, reasonOfLoss } from "../reset.ts";
import { explainAlert, explainViolation } from "../tls_faults.ts";

/** What a connection tells the one who uses it. */
export interface ConnectionOwner {
  /** The peer's SETTINGS are in: streams may be opened. */
  onReady(connection: ClientConnection): void;
  /** A stream ended, or the peer allows more of them. */
  onRoom(connection: ClientConnection): void;
  /** No new streams from now on; those there are may go on. */
  onDraining(connection: ClientConnection): void;
  /** The peer ends the connection because of too many PINGs. */
  onTooManyPings(): void;
  /** The connection is gone: once, and last. */
  onClosed(connection: ClientConnection, why: CloseReason): void;
}

/** How long a peer may take to close its side, once this side is closed. */
const LINGER_MS = 1000;

/** After a longer silence the peer has to show that it is still there. */
const VERIFY_AFTER_MS = 300_000;

/** One HTTP/2 connection of a channel. */
export class ClientConnection
  implements H2ClientOwner, AccountOwner, KeepaliveOwner, LookedAt {
  readonly account: Account;
  readonly #dialing: Dialing;
  readonly #address: Address;
  readonly #owner: ConnectionOwner;
  readonly #full: FullAccount;
  /** Once somebody waits for the end. */
  #closed: PromiseWithResolvers<void> | null = null;
  readonly #calm: number;
  readonly #idleTimer: IdleTimer;
  #attempt: SocketAttempt | null = null;
  #socket: Duplex | null = null;
  #session: H2ClientSession | null = null;
  #keepalive: Keepalive | null = null;
  #drainWatch: DrainWatch | null = null;
  #connectTimer: ClockTimer | undefined;
  #lingerTimer: ClockTimer | undefined;
  #ready = false;
  #verifying = false;
  /** Whether it is known in this turn of the event loop that the peer is there. */
  #isFresh = false;
  #draining = false;
  #gone = false;
  #maxStreams = 0;
  #lastStreamId = Infinity;
  readonly #resets = new ResetBudget();
  #resetCount = 0;
  #awaited = false;
  /** The streams of calls that are none of the user's. */
  #background: Set<H2Stream> | null = null;
  /** Whether the socket keeps the process alive. */
  #isRef = true;
  #peer = new Peer(null);
  #error: unknown;
  #endReason: CloseReason | null = null;

  /** Whether the server has taken up any call on this connection. */
  wasUseful = false;

  /**
   * @param dialing What it shares with others.
   * @param address Where to connect to.
   * @param calm What the time of keepalive is multiplied with, because the
   *   server complained of too many PINGs.
   * @param owner Who uses it.
   */
  constructor(
    dialing: Dialing,
    address: Address,
    calm: number,
    owner: ConnectionOwner,
  ) {
    this.#dialing = dialing;
    this.#address = address;
    this.account = new Account(dialing.budget, this);
    this.#full = new FullAccount(this.account, dialing.clock);
    this.#owner = owner;
    this.#calm = calm;
    const { clock, idleTimeoutMs, config: { connectTimeoutMs } } = dialing;
    this.#idleTimer = new IdleTimer(idleTimeoutMs, () => this.close(), clock);
    this.#connectTimer = clock.setTimeout(() => {
      const what = this.#session === null
        ? this.#attempt?.waitsFor ?? "connection"
        : "HTTP/2 SETTINGS";
      this.destroy(this.#loss(`no ${what} within ${connectTimeoutMs} ms`));
    }, connectTimeoutMs);
    openConnections.add(this);
    this.#connect();
  }

  #connect(): void {
    let isReturning = true;
    const fail = (error: unknown): void => {
      // Nobody would know this connection yet.
      if (isReturning) return queueMicrotask(() => fail(error));
      this.#attempt = null;
      this.#error = error;
      this.onClosed();
    };
    try {
      const attempt = this.#address.connect({
        onSocket: (socket) => {
          this.#attempt = null;
          try {
            this.#handshake(socket);
          } catch (error) {
            // Such as a connection of the user's that is none.
            socket.destroy();
            fail(error);
          }
        },
        onFailure: fail,
      });
      if (this.#socket === null) this.#attempt = attempt;
    } catch (error) {
      fail(error);
    }
    isReturning = false;
  }

  /** Why the connection ended, if it has, or is about to. */
  get endReason(): CloseReason | null {
    if (this.#endReason === null) {
      // The session knows of its end a little before it says so.
      if (this.#session?.isOver) this.#noteEnd();
    }
    return this.#endReason;
  }

  /** Whether a stream can be opened now. */
  get hasRoom(): boolean {
    return this.#ready && !this.#draining && !this.#verifying &&
      this.streamCount < this.#maxStreams;
  }

  /** Why the connection is lost to new calls. */
  get lossReason(): CloseReason {
    return this.#endReason ?? this.#loss("the server takes no more calls");
  }

  /** Why it takes no more calls; null if this side wants it so. */
  get drainReason(): string | null {
    const { goawayCode } = this.account.traffic;
    return this.#endReason?.message ??
      (goawayCode === null ? null : `GOAWAY with code ${goawayCode}`);
  }

  /** How many streams the server allows at a time; 0 before it has said so. */
  get maxStreams(): number {
    return this.#maxStreams;
  }

  /** What it is connected to. */
  get address(): string {
    return this.#address.name;
  }

  /** Since when there are no streams, by the clock; Infinity while there are. */
  get unusedSince(): number {
    return this.#idleTimer.unusedSince;
  }

  /** How many calls there are, without those in the background. */
  get callCount(): number {
    return this.streamCount - (this.#background?.size ?? 0);
  }

  /** What can be seen of it. */
  get figures(): ConnectionFigures {
    return {
      ...socketFigures(this.#socket, this.#peer),
      isClient: true,
      traffic: this.account.traffic,
      windows: this.#session?.windows ?? null,
      maxStreams: this.#ready ? this.#maxStreams : null,
    };
  }

  /** How many streams there are. */
  get streamCount(): number {
    return this.#session?.streamCount ?? 0;
  }

  /** The paths of the methods that are called on it. */
  get paths(): string[] {
    return [...(this.#session?.streams ?? [])]
      .filter((stream) => !this.#background?.has(stream))
      .map(({ path }) => path);
  }

  toString(): string {
    return `connection to ${this.#where}`;
  }

  /** Says whether calls wait for a stream of this connection. */
  set awaited(awaited: boolean) {
    this.#awaited = awaited;
    this.#updateRef();
  }

  /** Resolves when the connection is gone. */
  get closed(): Promise<void> {
    this.#closed ??= Promise.withResolvers();
    if (this.#gone) this.#closed.resolve();
    return this.#closed.promise;
  }

  /** Gives a call its stream. */
  open(claim: StreamClaim): void {
    const stream = this.#session!.open(claim);
    if (this.callCount === 1) this.#onBusy();
    claim.onStream(stream, this.#peer);
  }

  /** Gives a stream to a call that does not count as use of the connection. */
  openInBackground(claim: StreamClaim): void {
    const stream = this.#session!.open(claim);
    (this.#background ??= new Set()).add(stream);
    claim.onStream(stream, this.#peer);
  }

  /**
   * After a long silence, as when the machine slept, asks whether the peer is
   * still there; there is no room until it has acknowledged a PING.
   *
   * @returns Whether there is something to wait for.
   */
  verifyIfSilent(): boolean {
    const keepalive = this.#keepalive;
    if (keepalive === null || this.#verifying) return this.#verifying;
    // Once in a turn of the event loop: the clock costs more than the rest.
    if (this.#isFresh) return false;
    if (keepalive.silenceMs < VERIFY_AFTER_MS) {
      this.#isFresh = true;
      process.nextTick(forgetFreshness, this);
      return false;
    }
    this.#verifying = true;
    keepalive.verify();
    return true;
  }

  /** A turn of the event loop is over. */
  forgetFreshness(): void {
    this.#isFresh = false;
  }

  onStreamClose(stream: H2Stream): void {
    this.#background?.delete(stream);
    if (this.callCount === 0) this.#onUnused();
    this.#owner.onRoom(this);
  }

  onSent(): void {
    this.#keepalive?.onSent();
  }

  onReply(): void {
    this.wasUseful = true;
  }

  isUnprocessed(streamId: number): boolean {
    return streamId > this.#lastStreamId;
  }

  /** Takes no new streams, and ends when those there are ended. */
  close(): void {
    this.#drain();
    this.#session?.close();
    if (this.streamCount === 0) this.#linger();
  }

  /** Ends the connection at once, and all that runs on it, for a reason. */
  destroy(why: CloseReason): void {
    if (this.#gone) return;
    this.#endReason ??= why;
    this.#attempt?.cancel();
    this.#attempt = null;
    this.#drain();
    const session = this.#session;
    if (session === null) return this.onClosed();
    session.destroy();
    // A peer that has said nothing yet has nothing to hear.
    if (this.#ready) this.#linger();
    else this.#drainWatch?.cut();
  }

  #handshake(socket: Duplex): void {
    const { engine, config, authority, scheme } = this.#dialing;
    this.#socket = socket;
    this.#drainWatch = new DrainWatch(
      socket,
      this.#dialing.clock,
      () => this.onClosed(),
    );
    setRef(socket, this.#isRef);
    this.#session = engine.connect(socket, this, {
      authority,
      scheme,
      streamWindowSize: config.http2StreamWindowSize,
      connectionWindowSize: config.http2ConnectionWindowSize,
      maxHeaderListSize: config.maxHeaderListSize,
    });
  }

  onSettings(maxConcurrentStreams: number): void {
    this.#maxStreams = maxConcurrentStreams;
    if (!this.#ready) this.#onReady();
    else this.#owner.onRoom(this);
  }

  onFull(isFull: boolean): void {
    this.#session?.pause(isFull);
    this.#full.onFull(isFull);
  }

  onExcess(): boolean {
    // Its calls are the program's own: they are ended one by one.
    return false;
  }

  onReceived(): void {
    this.#keepalive?.onReceived();
  }

  onSocketEnd(): void {
    // The peer said all: what is opened from now on would find nobody.
    this.#drain();
    this.#linger();
  }

  onEnding(): void {
    if (this.#gone) return;
    this.#noteEnd();
    this.#drainWatch?.watch();
  }

  onSocketClose(): void {
    this.#noteEnd();
  }

  #onReady(): void {
    if (this.#draining) return;
    this.#ready = true;
    this.#dialing.clock.clearTimeout(this.#connectTimer);
    this.#connectTimer = undefined;
    this.#peer = peerOf(this.#socket!, this.#address.path, true);
    const { config, clock } = this.#dialing;
    this.#keepalive = new Keepalive(this, config, clock, this.#calm);
    this.#owner.onReady(this);
    if (this.callCount === 0) this.#onUnused();
  }

  hasStreams(): boolean {
    return this.streamCount > 0;
  }

  ping(onAck: () => void): void {
    this.account.traffic.keepalivesSent++;
    this.#session?.ping(() => {
      onAck();
      this.#verifying = false;
      this.#owner.onRoom(this);
    });
  }

  onDead(): void {
    const { keepaliveTimeoutMs } = this.#dialing.config;
    this.destroy(
      this.#loss(`a PING was not acknowledged within ${keepaliveTimeoutMs} ms`),
    );
    this.#drainWatch?.cut();
  }

  onReset(): void {
    this.#resetCount++;
    if (this.#resets.spend(1, this.streamCount)) this.onExhausted();
  }

  onExhausted(): void {
    this.close();
  }

  onGoaway(code: number, lastStreamId: number, text: string): void {
    this.account.traffic.goawayCode = code;
    this.#lastStreamId = lastStreamId;
    // A GOAWAY that goes on with streams is a kind of reply.
    if (code === 0 && lastStreamId > 0 && this.streamCount > 0) {
      this.wasUseful = true;
    }
    if (code !== 0) {
      const resets = this.#resetCount;
      this.#endReason ??= reasonOfGoaway(
        this.#where,
        code,
        text,
        // Servers that limit resets seldom say so.
        resets > 0
          ? `after ${resets} RST_STREAM of this side, for cancelled calls`
          : "",
      );
    }
    if (code === ENHANCE_YOUR_CALM && text === "too_many_pings") {
      this.#owner.onTooManyPings();
    }
    this.#drain();
    if (this.streamCount === 0) this.#linger();
  }

  /** Opens no more streams. Before there could be any, its close says so. */
  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    if (this.#ready) this.#owner.onDraining(this);
  }

  // In use, and not in use

  #onBusy(): void {
    this.#idleTimer.onUsed();
    this.#updateRef();
  }

  #onUnused(): void {
    if (this.#draining) {
      if (this.streamCount === 0) this.#linger();
      return;
    }
    this.#idleTimer.onUnused();
    this.#updateRef();
  }

  /** What nobody waits for should not keep the process from its end. */
  #updateRef(): void {
    if (this.#dialing.keepProcessAlive) return;
    const needed = this.#awaited || this.callCount > 0;
    if (needed === this.#isRef) return;
    this.#isRef = needed;
    this.#attempt?.setRef(needed);
    setRef(this.#socket, needed);
    if (needed) this.#connectTimer?.ref();
    else this.#connectTimer?.unref();
  }

  // The end

  #linger(): void {
    if (this.#gone) return;
    this.#lingerTimer ??= this.#dialing.clock.setTimeout(
      () => this.#drainWatch?.cut(),
      LINGER_MS,
    );
  }

  onError(error: unknown): void {
    this.#error ??= this.#ready ? error : explainAlert(error);
    this.#noteEnd();
    this.#linger();
  }

  #noteEnd(): void {
    this.#endReason ??= this.#loss(this.#endCause);
    // The streams learn of it before the session closes, and whoever calls
    // again at once needs another connection.
    this.#drain();
  }

  get #endCause(): unknown {
    const session = this.#session;
    const cause = this.#error ?? session?.endCause;
    if (this.#ready) return cause;
    if (session?.isViolated) return explainViolation(cause);
    return cause ??
      `the connection was closed before HTTP/2 SETTINGS, ${this.#dialing.likelyMixUp}`;
  }

  #loss(cause: unknown): CloseReason {
    return this.#ready
      ? reasonOfLoss(`Connection to ${this.#where} was lost`, cause)
      : reasonOfLoss(`Cannot connect to ${this.#where}`, cause, true);
  }

  /** The server, and at which of its addresses. */
  get #where(): string {
    const { target } = this.#dialing;
    const { name } = this.#address;
    return name === target ? target : `${target} at ${name}`;
  }

  onClosed(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#draining = true;
    const { clock } = this.#dialing;
    clock.clearTimeout(this.#connectTimer);
    clock.clearTimeout(this.#lingerTimer);
    this.#drainWatch?.stop();
    this.#idleTimer.stop();
    this.#keepalive?.stop();
    this.#noteEnd();
    this.account.close();
    this.#full.stop();
    openConnections.delete(this);
    this.#owner.onClosed(this, this.#endReason!);
    this.#closed?.resolve();
  }
}

// One function that all connections share.
function forgetFreshness(connection: ClientConnection): void {
  connection.forgetFreshness();
}
