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
import type { ParsedServiceConfig } from "./_call/client/service_config.ts";
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
  ReplaceablePicker,
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
  distinct,
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

/** Who reads the service configs of a resolver, and goes by them. */
export interface ServiceConfigUser {
  /**
   * Reads one, which does not change anything yet.
   *
   * @param config The service config; `undefined` or null for the channel's own.
   * @param action What was attempted with it, for errors.
   * @throws If it is wrong.
   */
  read(
    config: ResolverAnswer["serviceConfig"],
    action: string,
  ): ParsedServiceConfig | null;
  /** Goes by it from now on, and says how calls are spread then. */
  use(config: ParsedServiceConfig | null): ResolvedBalancing;
}

/** A resolver, and who goes by its service configs. */
export interface ConfiguringResolver {
  readonly ask: Resolver;
  readonly serviceConfigs: ServiceConfigUser;
}

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
  readonly resolver: ConfiguringResolver | undefined;
  /** How calls are spread, unless the resolver has another word on it. */
  readonly balancing: ResolvedBalancing;
  /** The HTTP proxy that connections go through. */
  readonly proxy: ResolvedProxy | null;
  /** What looks names up; the system, unless a test says otherwise. */
  readonly names?: NameSystem;
}

/** A server that a balancer knows of, or all that `pick_first` chooses from. */
interface Endpoint extends BalancedEndpoint {
  readonly addresses: AddressSource;
  /** The service whose health counts; null for none. */
  readonly healthCheck: string | null;
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
  const { policy, shuffleAddressList, healthCheck } = balancing;
  const picker = new ReplaceablePicker(pickerOf(balancing));
  if (resolver !== undefined) {
    const { connector } = servers[0]!;
    return balanced(
      options,
      picker,
      asked(resolver, options, connector, picker),
    );
  }
  if (policy === "pick_first") {
    const addresses = joinedAddresses(servers.map((it) => it.addresses));
    return new Subchannel({
      ...shared,
      likelyMixUp: likelyMixUp(tls),
      addresses: shuffleAddressList ? shuffled(addresses) : addresses,
    });
  }
  const fixed = servers.every(({ target }) => isFixed(target, options));
  if (!fixed) return balanced(options, picker, lookedUp(servers, healthCheck));
  return balanced(
    options,
    picker,
    servers.map(({ target, addresses }) =>
      endpointOf(formatTarget(target), addresses, healthCheck)
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
  picker: Picker,
  source: readonly Endpoint[] | EndpointSource<Endpoint>,
): ConnectionSource {
  const { target, clock, config } = shared;
  const { outlierDetection } = balancing;
  const outliers = outlierDetection === null
    ? null
    : new OutlierDetector(outlierDetection, clock);
  return new Balancer<Endpoint>({
    target,
    clock,
    picker,
    connectionsPerAddress: balancing.connectionsPerAddress,
    idleTimeoutMs: config.idleTimeoutMs,
    isResolved: typeof source === "function",
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
      const { healthCheck: service } = endpoint;
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
  healthCheck: string | null,
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
              found.map((it) =>
                endpointOf(it.name, fixedAddresses([it]), healthCheck)
              ),
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

function endpointOf(
  name: string,
  addresses: AddressSource,
  healthCheck: string | null,
): Endpoint {
  // One whose health is asked for otherwise gets another connection.
  const key = healthCheck === null ? name : `${name} ${healthCheck}`;
  return { key, name, addresses, healthCheck };
}

/** Asks a resolver of the user's. */
function asked(
  { ask, serviceConfigs }: ConfiguringResolver,
  options: ConnectionOptions,
  connector: Connector,
  picker: ReplaceablePicker,
): EndpointSource<Endpoint> {
  const { target } = options.shared;
  const find = finderOf(options);
  const join = joiner();
  let { balancing } = options;
  /** Whether there was an answer whose service config, if any, is right. */
  let isConfigured = false;

  const configure = ({ serviceConfig }: ResolverAnswer): void => {
    const action = "its answer is wrong";
    const next = serviceConfigs.use(serviceConfigs.read(serviceConfig, action));
    const { policy, choiceCount } = balancing;
    balancing = next;
    isConfigured = true;
    // One that goes on as it was keeps its place.
    if (policy !== next.policy || choiceCount !== next.choiceCount) {
      picker.replace(pickerOf(next));
    }
  };
  const endpointsAt = (places: readonly Target[][]): Endpoint[] => {
    const { policy, shuffleAddressList, healthCheck } = balancing;
    const endpoints = places.map((targets) =>
      endpointOf(
        targets.map(formatTarget).join(","),
        joinedAddresses(targets.map((it) => find(it, connector))),
        healthCheck,
      )
    );
    return policy === "pick_first"
      ? join(endpoints, shuffleAddressList)
      : endpoints;
  };
  return async function* (signal) {
    const answer = ask({ target, signal });
    for await (const it of isAsyncIterable(answer) ? answer : [answer]) {
      const places = endpointsOf(it).map(parseTargets);
      let fault: { readonly error: unknown } | null = null;
      // One without servers is refused as a whole, and nobody waits for one that
      // comes too late.
      if (places.length > 0 && !signal.aborted) {
        try {
          configure(it);
        } catch (error) {
          // "Continue to use the previous one", if there was one.
          // https://github.com/grpc/proposal/blob/master/A21-service-config-error-handling.md
          if (!isConfigured) throw error;
          fault = { error };
        }
      }
      yield endpointsAt(places);
      if (fault !== null) throw fault.error;
    }
  };
}

function isAsyncIterable(
  answer: ReturnType<Resolver>,
): answer is AsyncIterable<ResolverAnswer> {
  return Symbol.asyncIterator in Object(answer);
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
function joiner(): (
  endpoints: readonly Endpoint[],
  shuffle: boolean,
) => Endpoint[] {
  let last: Endpoint | null = null;
  return (endpoints, shuffle) => {
    if (endpoints.length === 0) return [];
    const name = endpoints.map((it) => it.name).join(",");
    const joined = distinct(
      joinedAddresses(endpoints.map((it) => it.addresses)),
    );
    const addresses = shuffle ? shuffled(joined) : joined;
    const connectedTo = last?.subchannel?.connectedTo ?? null;
    const isKept = last !== null &&
      (last.name === name || name.split(",").includes(connectedTo ?? ""));
    last = isKept
      ? Object.assign(last!, { name, addresses })
      : { key: Symbol(name), name, addresses, healthCheck: null };
    return [last];
  };
}
