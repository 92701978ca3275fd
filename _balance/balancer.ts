/**
 * Several endpoints behind one channel: which there are, which of them take
 * calls, and what calls are told when none does.
 *
 * A call that finds no room waits here, not with an endpoint, so that it can go
 * to whichever has room first. A choice is synchronous, and costs a call nothing
 * but itself.
 *
 * The state of the channel is READY if that of one endpoint is, else CONNECTING
 * if one is connecting, else IDLE if one is, else TRANSIENT_FAILURE; an endpoint
 * whose attempt to connect has failed counts as failed until it is READY.
 *
 * @see {@link https://github.com/grpc/proposal/blob/master/A61-IPv4-IPv6-dualstack-backends.md}
 * @see {@link https://github.com/grpc/proposal/blob/master/A62-pick-first.md}
 * @module
 */

import type { CloseReason, StreamClaim } from "../_call/byte_stream.ts";
import type { ConnectivityObserver } from "../core/_connectivity_trace.ts";
import { History, ResolutionFigures } from "../core/_figures.ts";
import type { Clock, ClockTimer } from "../core/clock.ts";
import type { ConnectivityState, Endpoint } from "../core/connectivity.ts";
import { CHANNEL_CLOSED, reasonOfFailures } from "../_http2/reset.ts";
import { ClaimQueue, reasonOfWait } from "./claim_queue.ts";
import type { Picker } from "./picker.ts";
import type { ResolutionOwner } from "./resolution.ts";
import type {
  BalancedSubchannel,
  ConnectionSource,
  SubchannelFigures,
  SubchannelOwner,
} from "./subchannel.ts";

/** One server, as a resolver tells of it. */
export interface BalancedEndpoint {
  /** What it is known by from one answer to the next. */
  readonly key: unknown;
  /** What it is called: its addresses. */
  readonly name: string;
}

/** What looks for endpoints, and goes on to. */
export interface EndpointFinder {
  start(): void;
  /** Something is wrong with an endpoint. */
  askAgain(): void;
  isAwaited: boolean;
  stop(): void;
}

/** What a balancer needs to know. */
export interface BalancerOptions<E extends BalancedEndpoint> {
  /** What the channel is called in errors. */
  readonly target: string;
  readonly clock: Clock;
  readonly picker: Picker;
  /** How many connections there are to each endpoint. */
  readonly connectionsPerAddress: number;
  /** How long the connections are kept without calls, in milliseconds. */
  readonly idleTimeoutMs: number;
  /** Whether endpoints are looked up, rather than given. */
  readonly isResolved: boolean;
  /** Makes what looks for endpoints. */
  find(owner: ResolutionOwner<E>): EndpointFinder;
  /** Makes a subchannel to an endpoint, which does not connect by itself. */
  makeSubchannel(
    endpoint: E,
    owner: SubchannelOwner,
  ): BalancedSubchannel;
  /** Told of states. */
  readonly connectivity?: ConnectivityObserver | undefined;
}

/** The longest delay a timer takes. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/** An endpoint's subchannel, and what the balancer knows of it. */
interface Member {
  readonly endpoint: BalancedEndpoint;
  readonly subchannel: BalancedSubchannel;
  /** Why it failed, if it was not READY since. */
  failure: CloseReason | null;
  wasReady: boolean;
}

/** The endpoints of a channel. */
export class Balancer<E extends BalancedEndpoint>
  implements ConnectionSource, SubchannelOwner, ResolutionOwner<E> {
  readonly history: History<ConnectivityState>;
  readonly resolution: ResolutionFigures | null;
  readonly #options: BalancerOptions<E>;
  readonly #picker: Picker;
  readonly #queue = new ClaimQueue();
  #members = new Map<BalancedSubchannel, Member>();
  /** Those that take no more calls, and have some still. */
  readonly #retired = new Set<BalancedSubchannel>();
  /** Null while the channel is idle. */
  #finder: EndpointFinder | null = null;
  #state: ConnectivityState = "IDLE";
  /** Why no endpoints are known, if they were looked for in vain. */
  #unresolved: CloseReason | null = null;
  /** Why calls fail in TRANSIENT_FAILURE; made when one does. */
  #failure: CloseReason | null = null;
  #changed: PromiseWithResolvers<void> | undefined;
  #idleTimer: ClockTimer | undefined;
  /** When a connection was last lost, by the clock: it may have had calls. */
  #lostAt = -Infinity;
  /** Whether several members change, so that it is not yet time to look. */
  #isChanging = false;

  constructor(options: BalancerOptions<E>) {
    this.#options = options;
    this.#picker = options.picker;
    const { target, connectivity, isResolved } = options;
    this.resolution = isResolved ? new ResolutionFigures() : null;
    this.history = new History((change) =>
      connectivity?.state("channel", target, change)
    );
  }

  get state(): ConnectivityState {
    return this.#state;
  }

  get changed(): Promise<void> {
    this.#changed ??= Promise.withResolvers();
    this.#updateNeed();
    return this.#changed.promise;
  }

  get paths(): string[] {
    return [...this.#all()].flatMap(({ paths }) => paths);
  }

  get counts(): { connections: number; streams: number; waiting: number } {
    let connections = 0;
    let streams = 0;
    for (const { counts } of this.#all()) {
      connections += counts.connections;
      streams += counts.streams;
    }
    return { connections, streams, waiting: this.#queue.size };
  }

  get waitReason(): string {
    return reasonOfWait(this.history);
  }

  get endpoints(): Endpoint[] {
    const members = Map.groupBy(this.#members.values(), (it) => it.endpoint);
    return [...members].map(([{ name }, members]) => {
      const subchannels = members.map(({ subchannel }) => subchannel);
      const ready = subchannels.filter(({ state }) => state === "READY");
      const calls = subchannels.map(({ callCount }) => callCount);
      return {
        address: name,
        state: stateOf(members),
        connections: ready.length,
        calls: calls.reduce((sum, count) => sum + count, 0),
      };
    });
  }

  get subchannels(): SubchannelFigures[] {
    return [...this.#all()].map(({ figures }) => figures);
  }

  claim(claim: StreamClaim): void {
    if (this.#queue.size === 0) {
      const subchannel = this.#picker.pick();
      if (subchannel !== null) return subchannel.open(claim);
    }
    this.#hold(claim);
  }

  withdraw(claim: StreamClaim): void {
    if (this.#queue.delete(claim) && this.#queue.size === 0) this.#updateNeed();
  }

  connect(): void {
    if (this.#state !== "IDLE") return;
    if (this.#finder === null) return this.#leaveIdle();
    for (const subchannel of this.#members.keys()) subchannel.connect();
  }

  async close(): Promise<void> {
    this.#stop();
    const subchannels = [...this.#all()];
    this.#members.clear();
    this.#picker.update([]);
    this.#become("SHUTDOWN");
    this.#queue.failAll(CHANNEL_CLOSED);
    await Promise.all(subchannels.map((it) => it.close()));
  }

  // The resolution

  onEndpoints(endpoints: readonly E[]): void {
    this.#unresolved = null;
    if (this.resolution !== null) {
      const { target, connectivity } = this.#options;
      this.resolution.answer();
      connectivity?.resolution(target, endpoints.length, null);
    }
    this.#change(() => this.#replace(endpoints));
  }

  onFailure(why: CloseReason): void {
    // What is known remains true until there is something better.
    this.#unresolved = why;
    const { target, connectivity } = this.#options;
    this.resolution?.fail(why.message);
    connectivity?.resolution(target, null, why.message);
    this.#update();
  }

  // The subchannels

  onState(subchannel: BalancedSubchannel): void {
    const member = this.#members.get(subchannel);
    if (member === undefined) return;
    const { state } = subchannel;
    if (state === "READY") {
      member.failure = null;
    } else if (state === "TRANSIENT_FAILURE") {
      member.failure = subchannel.failure;
    }
    const isLost = member.wasReady && state !== "READY";
    if (isLost) {
      this.#lostAt = this.#options.clock.now();
      this.#finder?.askAgain();
    } else if (state === "TRANSIENT_FAILURE") {
      this.#finder?.askAgain();
    }
    member.wasReady = state === "READY";
    // After a failure it goes on until it is connected.
    const isNeeded = !isLost || this.#picker.keepsConnected ||
      this.#queue.size > 0;
    if (state === "IDLE" && isNeeded) subchannel.connect();
    else this.#update();
  }

  onRoom(_subchannel: BalancedSubchannel): void {
    if (this.#queue.size > 0) this.#serve();
  }

  *#all(): Iterable<BalancedSubchannel> {
    yield* this.#members.keys();
    yield* this.#retired;
  }

  #hold(claim: StreamClaim): void {
    switch (this.#state) {
      case "SHUTDOWN":
        return claim.onClose(CHANNEL_CLOSED);
      case "TRANSIENT_FAILURE":
        if (!claim.waitForReady) return claim.onClose(this.#whyFailed());
    }
    this.#queue.add(claim);
    if (this.#state === "IDLE") this.connect();
    else if (this.#queue.size === 1) this.#updateNeed();
  }

  #serve(): void {
    this.#queue.serve(() => this.#picker.pick());
    if (this.#queue.size === 0) this.#updateNeed();
  }

  /** Replaces the members by those of other endpoints; who is in both stays. */
  #replace(endpoints: readonly E[]): void {
    const { connectionsPerAddress, makeSubchannel } = this.#options;
    const before = Map.groupBy(
      this.#members.values(),
      (it) => it.endpoint.key,
    );
    const members = new Map<BalancedSubchannel, Member>();
    const fresh: BalancedSubchannel[] = [];
    const seen = new Set<unknown>();
    for (const endpoint of endpoints) {
      const { key } = endpoint;
      if (seen.has(key)) continue;
      seen.add(key);
      const kept = before.get(key);
      before.delete(key);
      for (const member of kept ?? []) members.set(member.subchannel, member);
      if (kept !== undefined) continue;
      for (let i = 0; i < connectionsPerAddress; i++) {
        const subchannel = makeSubchannel(endpoint, this);
        members.set(subchannel, {
          endpoint,
          subchannel,
          failure: null,
          wasReady: false,
        });
        fresh.push(subchannel);
      }
    }
    this.#members = members;
    for (const { subchannel } of [...before.values()].flat()) {
      this.#retire(subchannel);
    }
    if (this.#state === "IDLE" && !this.#picker.keepsConnected) return;
    for (const subchannel of fresh) subchannel.connect();
  }

  #retire(subchannel: BalancedSubchannel): void {
    this.#retired.add(subchannel);
    void subchannel.retire().then(() => this.#retired.delete(subchannel));
  }

  /** Changes several members, and then looks at what there is. */
  #change(work: () => void): void {
    this.#isChanging = true;
    work();
    this.#isChanging = false;
    this.#update();
  }

  /** Looks at the members again. */
  #update(): void {
    if (this.#isChanging || this.#finder === null) return;
    const members = [...this.#members.values()];
    const ready = members.filter(({ subchannel: { state } }) =>
      state === "READY"
    );
    this.#picker.update(ready.map(({ subchannel }) => subchannel));
    this.#failure = null;
    const hasNone = members.length === 0;
    this.#become(
      hasNone && this.#unresolved !== null
        ? "TRANSIENT_FAILURE"
        : hasNone
        ? "CONNECTING"
        : stateOf(members),
    );
    if (this.#queue.size === 0) return;
    if (this.#state === "READY") this.#serve();
    if (this.#state === "TRANSIENT_FAILURE") {
      this.#queue.failHasty(this.#whyFailed());
    }
    this.#updateNeed();
  }

  #become(state: ConnectivityState): void {
    if (state === this.#state) return;
    this.#state = state;
    const isFailure = state === "TRANSIENT_FAILURE";
    this.history.add(state, isFailure ? this.#whyFailed().message : null);
    this.#changed?.resolve();
    this.#changed = undefined;
    this.#updateNeed();
  }

  /** What nobody waits for should not keep the process from its end. */
  #updateNeed(): void {
    const isWanted = this.#queue.size > 0;
    const isWatched = this.#changed !== undefined;
    if (this.#finder !== null) this.#finder.isAwaited = isWanted || isWatched;
    for (const subchannel of this.#members.keys()) {
      subchannel.isWanted = isWanted;
      subchannel.isWatched = isWatched;
    }
  }

  #whyFailed(): CloseReason {
    return this.#failure ??= this.#describeFailure();
  }

  #describeFailure(): CloseReason {
    const failures = new Map<string, unknown>();
    for (const { endpoint, failure } of this.#members.values()) {
      if (failure !== null) failures.set(endpoint.name, failure.cause);
    }
    if (failures.size === 0 && this.#unresolved !== null) {
      return this.#unresolved;
    }
    return reasonOfFailures(
      this.#options.target,
      [...failures].map(([name, cause]) => ({ name, cause })),
    );
  }

  // In use, and not in use

  #leaveIdle(): void {
    const finder = this.#finder = this.#options.find(this);
    this.#unresolved = null;
    this.#become("CONNECTING");
    this.#startIdleTimer(this.#options.idleTimeoutMs);
    this.#updateNeed();
    finder.start();
  }

  #startIdleTimer(delayMs: number): void {
    if (delayMs > MAX_DELAY_MS) return;
    this.#idleTimer = this.#options.clock.setTimeout(
      () => this.#onIdleTimer(),
      Math.ceil(delayMs),
    );
    this.#idleTimer.unref();
  }

  #onIdleTimer(): void {
    const { clock, idleTimeoutMs } = this.#options;
    let usedAt = this.#lostAt;
    for (const { unusedSince } of this.#all()) {
      usedAt = Math.max(usedAt, unusedSince);
    }
    if (this.#queue.size > 0 || usedAt === Infinity) {
      return this.#startIdleTimer(idleTimeoutMs);
    }
    const leftMs = usedAt + idleTimeoutMs - clock.now();
    if (leftMs > 0) return this.#startIdleTimer(leftMs);
    this.#stop();
    const subchannels = [...this.#members.keys()];
    this.#members.clear();
    this.#picker.update([]);
    for (const subchannel of subchannels) this.#retire(subchannel);
    this.#become("IDLE");
  }

  /** Looks for endpoints no more. */
  #stop(): void {
    this.#finder?.stop();
    this.#finder = null;
    this.#options.clock.clearTimeout(this.#idleTimer);
    this.#idleTimer = undefined;
  }
}

/** The state that members have together. */
function stateOf(members: readonly Member[]): ConnectivityState {
  if (members.some(({ subchannel: { state } }) => state === "READY")) {
    return "READY";
  }
  const well = members.filter(({ failure }) => failure === null);
  if (well.length === 0) return "TRANSIENT_FAILURE";
  return well.some(({ subchannel: { state } }) => state !== "IDLE")
    ? "CONNECTING"
    : "IDLE";
}
