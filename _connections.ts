/**
 * From the options of a channel to its connections: one subchannel that calls
 * use directly, or a balancer with several.
 *
 * @module
 */

import { describe } from "./core/_describe.ts";
import type { ResolvedBalancing } from "./core/balancing.ts";
import type { ResolvedProxy } from "./core/proxy.ts";
import type { Resolver, ResolverAnswer } from "./core/resolver.ts";
import { formatTarget, parseTargets, type Target } from "./core/target.ts";
import type { ChannelTLSOptions } from "./core/tls.ts";
import {
  type BalancedEndpoint,
  Balancer,
  type EndpointFinder,
} from "./_balance/balancer.ts";
import { HealthCheckedSubchannel } from "./_balance/health_watch.ts";
import { OutlierDetector } from "./_balance/outlier.ts";
import {
  FirstPicker,
  LeastRequestPicker,
  type Picker,
  RoundRobinPicker,
} from "./_balance/picker.ts";
import {
  type EndpointSource,
  Resolution,
  type ResolutionOwner,
} from "./_balance/resolution.ts";
import type { ConnectionSource } from "./_balance/subchannel.ts";
import type { SubchannelMaker } from "./_balance/subchannel_wrapper.ts";
import {
  addressesOf,
  addressOf,
  type AddressSource,
  type Connector,
  fixedAddresses,
  isAddress,
  joinedAddresses,
  type NameSystem,
  shuffled,
} from "./_http2/client/addresses.ts";
import {
  connectBy,
  type ConnectFunction,
  plaintext,
  secure,
  type SocketSource,
} from "./_http2/client/connect.ts";
import type { Dialing } from "./_http2/client/dialing.ts";
import { Subchannel } from "./_http2/client/subchannel.ts";
import { tunnel } from "./_http2/client/tunnel.ts";
import { clientTLSOptions } from "./_http2/tls.ts";
import { likelyMixUp } from "./_http2/tls_faults.ts";

/** What the connections of a channel are made by. */
export interface ConnectionOptions {
  /** The targets, at least one. */
  readonly targets: readonly Target[];
  /** What all connections have in common. */
  readonly shared: Omit<Dialing, "addresses" | "likelyMixUp">;
  readonly tls: boolean | ChannelTLSOptions;
  /** Makes connections in place of the network. */
  readonly connect: ConnectFunction | undefined;
  /** Says which servers there are, in place of the targets. */
  readonly resolver: Resolver | undefined;
  readonly balancing: ResolvedBalancing;
  /** The HTTP proxy that connections go through. */
  readonly proxy: ResolvedProxy | null;
  /** What looks names up; the system, unless a test says otherwise. */
  readonly names?: NameSystem;
}

/** A server that a balancer knows of, or all that `pick_first` chooses from. */
interface Endpoint extends BalancedEndpoint {
  readonly addresses: AddressSource;
  /** Connects to it; of `pick_first`. */
  subchannel?: Subchannel;
}

/** Makes the connections of a channel; none is opened by this. */
export function connectionsOf(options: ConnectionOptions): ConnectionSource {
  const { targets, shared, tls, resolver, balancing } = options;
  const find = finderOf(options);
  const servers = targets.map((target) => {
    const connector = connectorTo(target, options);
    return { target, connector, addresses: find(target, connector) };
  });
  const { policy, shuffleAddressList } = balancing;
  const isFirst = policy === "pick_first";
  if (resolver === undefined && isFirst) {
    const addresses = joinedAddresses(servers.map((it) => it.addresses));
    return new Subchannel({
      ...shared,
      likelyMixUp: likelyMixUp(tls),
      addresses: shuffleAddressList ? shuffled(addresses) : addresses,
    });
  }
  if (resolver !== undefined) {
    const ask = asked(resolver, options, servers[0]!.connector);
    return balanced(
      options,
      isFirst ? joinedToOne(ask, shuffleAddressList) : ask,
    );
  }
  const fixed = servers.every(({ target }) => isFixed(target, options));
  if (!fixed) return balanced(options, lookedUp(servers));
  return balanced(
    options,
    servers.map(({ target, addresses }) =>
      endpointOf(formatTarget(target), addresses)
    ),
  );
}

/**
 * Says how to connect to the addresses of a target. It is the target's name that
 * a certificate has to have, whatever address is connected to.
 */
function connectorTo(
  target: Target,
  { tls, connect, proxy, shared: { config } }: ConnectionOptions,
): Connector {
  const toSocket = (address: Target): SocketSource =>
    connect !== undefined
      ? connectBy(connect, formatTarget(address))
      : isProxied(address, proxy)
      ? tunnel(proxy!, address.authority)
      : plaintext(address);
  if (tls === false) return toSocket;
  const options = clientTLSOptions(tls, {
    hostname: target.kind === "host" ? target.hostname : target.authority,
    nameOverride: config.tlsTargetNameOverride,
  });
  return (address) => secure(toSocket(address), options);
}

/** Says how addresses are found. */
function finderOf(options: ConnectionOptions) {
  return (target: Target, connector: Connector): AddressSource =>
    isFixed(target, options)
      ? fixedAddresses([addressOf(target, connector)])
      : addressesOf(target, connector, options.names);
}

/** Whether a target is connected to through a proxy. */
function isProxied(target: Target, proxy: ResolvedProxy | null): boolean {
  return proxy !== null && target.kind === "host" &&
    proxy.takes(target.hostname, target.port);
}

/** Whether there is nothing to look up: names are for a proxy, or a `connect`. */
function isFixed(
  target: Target,
  { connect, proxy }: ConnectionOptions,
): boolean {
  return connect !== undefined || target.kind === "path" ||
    isAddress(target.hostname) || isProxied(target, proxy);
}

/** Balances calls over endpoints that are given, or looked for. */
function balanced(
  { shared, tls, balancing }: ConnectionOptions,
  source: readonly Endpoint[] | EndpointSource<Endpoint>,
): ConnectionSource {
  const { target, clock, config } = shared;
  const { healthCheck: service, outlierDetection } = balancing;
  const outliers = outlierDetection === null
    ? null
    : new OutlierDetector(outlierDetection, clock);
  return new Balancer<Endpoint>({
    target,
    clock,
    picker: pickerOf(balancing),
    connectionsPerAddress: balancing.connectionsPerAddress,
    idleTimeoutMs: config.idleTimeoutMs,
    find: (owner) =>
      typeof source !== "function"
        ? knownEndpoints(source, owner)
        : new Resolution({
          target,
          source,
          clock,
          minIntervalMs: config.minResolutionIntervalMs,
          refreshMs: config.resolutionRefreshMs,
          timeoutMs: config.connectTimeoutMs,
          backoff: config,
        }, owner),
    makeSubchannel: (endpoint, owner) => {
      const connect: SubchannelMaker = (owner) =>
        endpoint.subchannel = new Subchannel({
          ...shared,
          endpoint: endpoint.name,
          likelyMixUp: likelyMixUp(tls),
          addresses: (onFound) => endpoint.addresses(onFound),
          // Not in use is the channel as a whole, not one of its connections.
          idleTimeoutMs: Infinity,
        }, owner);
      const check: SubchannelMaker = service === null
        ? connect
        : (owner) =>
          new HealthCheckedSubchannel(connect, owner, {
            service,
            authority: shared.authority,
            scheme: shared.scheme,
            clock,
            backoff: config,
          });
      return outliers === null
        ? check(owner)
        : outliers.watch(endpoint.key, check, owner);
    },
    connectivity: shared.connectivity,
  });
}

function pickerOf({ policy, choiceCount }: ResolvedBalancing): Picker {
  switch (policy) {
    case "pick_first":
      return new FirstPicker();
    case "round_robin":
      return new RoundRobinPicker();
    case "least_request":
      return new LeastRequestPicker(choiceCount);
  }
}

/** Endpoints that never change. */
function knownEndpoints(
  endpoints: readonly Endpoint[],
  owner: ResolutionOwner<Endpoint>,
): EndpointFinder {
  return {
    start: () => owner.onEndpoints(endpoints),
    askAgain() {},
    isAwaited: false,
    stop() {},
  };
}

/** Asks the name service: each address of a name is a server of its own. */
function lookedUp(
  servers: readonly { target: Target; addresses: AddressSource }[],
): EndpointSource<Endpoint> {
  /** What was found last. */
  const known = new Map<Target, Endpoint[]>();
  return async function* () {
    const failures = await Promise.all(
      servers.map(({ target, addresses }) =>
        new Promise<unknown>((resolve) =>
          addresses((found, failures) => {
            if (failures.length > 0) return resolve(failures[0]!.cause);
            known.set(
              target,
              found.map((it) => endpointOf(it.name, fixedAddresses([it]))),
            );
            resolve(null);
          })
        )
      ),
    );
    // A name that cannot be looked up now keeps the addresses it had.
    const endpoints = servers.flatMap(({ target }) => known.get(target) ?? []);
    if (endpoints.length > 0) yield endpoints;
    const failure = failures.find((it) => it !== null);
    if (failure !== undefined) throw failure;
  };
}

function endpointOf(name: string, addresses: AddressSource): Endpoint {
  return { key: name, name, addresses };
}

/** Asks a resolver of the user's. */
function asked(
  resolver: Resolver,
  options: ConnectionOptions,
  connector: Connector,
): EndpointSource<Endpoint> {
  const { target } = options.shared;
  const find = finderOf(options);
  const read = (answer: ResolverAnswer): Endpoint[] =>
    endpointsOf(answer).map((addresses) => {
      const targets = parseTargets(addresses);
      return endpointOf(
        targets.map(formatTarget).join(","),
        joinedAddresses(targets.map((it) => find(it, connector))),
      );
    });
  return (signal) => {
    const answer = resolver({ target, signal });
    return isAsyncIterable(answer)
      ? map(answer, read)
      : Promise.resolve(answer).then(read);
  };
}

function isAsyncIterable(
  answer: ReturnType<Resolver>,
): answer is AsyncIterable<ResolverAnswer> {
  return Symbol.asyncIterator in Object(answer);
}

async function* map<T, R>(
  items: AsyncIterable<T>,
  change: (item: T) => R,
): AsyncIterable<R> {
  for await (const item of items) yield change(item);
}

/** Reads what a resolver says. */
function endpointsOf(
  answer: ResolverAnswer,
): ResolverAnswer["endpoints"] {
  const endpoints: unknown = (answer as Partial<ResolverAnswer> | undefined)
    ?.endpoints;
  if (Array.isArray(endpoints)) return endpoints;
  throw new TypeError(
    `the resolver has to answer { endpoints: [address, …] }, received ${
      describe(answer)
    }`,
  );
}

/**
 * Makes one endpoint of all, for `pick_first`. It remains the same while what it
 * is connected to is among the addresses, and else another takes its place.
 */
function joinedToOne(
  source: EndpointSource<Endpoint>,
  shuffle: boolean,
): EndpointSource<Endpoint> {
  let last: Endpoint | null = null;
  const join = (endpoints: readonly Endpoint[]): Endpoint[] => {
    if (endpoints.length === 0) return [];
    const name = endpoints.map((it) => it.name).join(",");
    const joined = joinedAddresses(endpoints.map((it) => it.addresses));
    const addresses = shuffle ? shuffled(joined) : joined;
    const connectedTo = last?.subchannel?.connectedTo ?? null;
    const isKept = last !== null &&
      (last.name === name || name.split(",").includes(connectedTo ?? ""));
    last = isKept
      ? Object.assign(last!, { name, addresses })
      : { key: Symbol(name), name, addresses };
    return [last];
  };
  return (signal) => {
    const answer = source(signal);
    return Symbol.asyncIterator in answer
      ? map(answer, join)
      : answer.then(join);
  };
}
