/**
 * From what can be seen of channels, servers and connections to the messages of
 * channelz.
 *
 * Tools are not prepared for everything that the messages allow. grpcdebug ends
 * itself for an address that is none of TCP/IP, or absent: a unix socket, or one
 * in memory, has the address 0.0.0.0 and the port 0, and its name says what it
 * is.
 *
 * @module
 */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Channel, hostOf } from "../_channel.ts";
import type { ServerFigures } from "../_server_figures.ts";
import type { SubchannelFigures } from "../_balance/subchannel.ts";
import type {
  CallCounts,
  History,
  LookedAt,
  SecurityFigures,
} from "../core/_figures.ts";
import type { ConnectivityState } from "../core/connectivity.ts";
import { Peer, type PeerAddress } from "../core/peer.ts";
import { connectionsOf, idOf } from "./_registry.ts";
import {
  type AddressSchema,
  ChannelConnectivityState_State as State,
  type ChannelDataSchema,
  type ChannelSchema,
  ChannelTraceEvent_Severity as Severity,
  type ChannelTraceSchema,
  type SecuritySchema,
  type ServerSchema,
  type SocketDataSchema,
  type SocketRefSchema,
  type SocketSchema,
  type SubchannelSchema,
} from "./gen/grpc/channelz/v1/channelz_pb.ts";

/** A channel, with references to its subchannels. */
export function channelMessage(
  channel: Channel,
): MessageInitShape<typeof ChannelSchema> {
  const { source, callCounts } = hostOf(channel);
  const { target } = channel;
  return {
    ref: { channelId: idOf(channel), name: target },
    data: dataOf(source, callCounts, { kind: "Channel", target }),
    subchannelRef: source.subchannels.map((it) => ({
      subchannelId: idOf(it),
      name: it.name,
    })),
  };
}

/** A subchannel, with references to its connections. */
export function subchannelMessage(
  subchannel: SubchannelFigures,
): MessageInitShape<typeof SubchannelSchema> {
  const { name: target, callCounts } = subchannel;
  return {
    ref: { subchannelId: idOf(subchannel), name: target },
    data: dataOf(subchannel, callCounts, { kind: "Subchannel", target }),
    socketRef: connectionsOf(subchannel).map(connectionRef),
  };
}

/** A server, with a reference to what it listens on. */
export function serverMessage(
  server: ServerFigures,
): MessageInitShape<typeof ServerSchema> {
  const { address, createdAt, callCounts } = server;
  return {
    ref: {
      serverId: idOf(server),
      name: address === null ? "" : `${new Peer(address)}`,
    },
    data: {
      trace: {
        numEventsLogged: 1n,
        creationTimestamp: timestampFromMs(createdAt),
        events: [eventOf("Server created", createdAt)],
      },
      ...callsOf(callCounts),
    },
    listenSocket: address === null ? [] : [{
      socketId: idOf(address),
      name: listenerName(address),
    }],
  };
}

/** What a server listens on, which has to be there. */
export function listenerMessage(
  { address }: ServerFigures,
): MessageInitShape<typeof SocketSchema> {
  return {
    ref: { socketId: idOf(address!), name: listenerName(address!) },
    data: {},
    local: addressMessage(address),
    remote: addressMessage(null),
  };
}

/** The reference to a connection. */
export function connectionRef(
  connection: LookedAt,
): MessageInitShape<typeof SocketRefSchema> {
  return {
    socketId: idOf(connection),
    name: `${new Peer(connection.figures.remote)}`,
  };
}

/** A connection. */
export function connectionMessage(
  connection: LookedAt,
): MessageInitShape<typeof SocketSchema> {
  const { local, remote, security } = connection.figures;
  return {
    ref: connectionRef(connection),
    data: socketDataOf(connection),
    local: addressMessage(local),
    remote: addressMessage(remote),
    ...security === null ? {} : { security: securityMessage(security) },
  };
}

function dataOf(
  { state, history }: {
    readonly state: ConnectivityState;
    readonly history: History<ConnectivityState>;
  },
  counts: CallCounts,
  { kind, target }: { readonly kind: string; readonly target: string },
): MessageInitShape<typeof ChannelDataSchema> {
  return {
    state: { state: State[state] },
    target,
    trace: traceOf(kind, history),
    ...callsOf(counts),
  };
}

function callsOf({ started, succeeded, failed, lastStartedAt }: CallCounts) {
  return {
    callsStarted: BigInt(started),
    callsSucceeded: BigInt(succeeded),
    callsFailed: BigInt(failed),
    ...at("lastCallStartedTimestamp", lastStartedAt),
  };
}

function traceOf(
  kind: string,
  { createdAt, changes, total }: History<ConnectivityState>,
): MessageInitShape<typeof ChannelTraceSchema> {
  const created = eventOf(`${kind} created`, createdAt);
  const later = changes.map(({ at, state, reason }) => {
    const what = `${kind} state change to ${state}`;
    return eventOf(
      reason === null ? what : `${what}: ${reason}`,
      at,
      state === "TRANSIENT_FAILURE" ? Severity.CT_WARNING : Severity.CT_INFO,
    );
  });
  return {
    numEventsLogged: BigInt(total + 1),
    creationTimestamp: timestampFromMs(createdAt),
    // The first are forgotten first.
    events: total > changes.length ? later : [created, ...later],
  };
}

function eventOf(
  description: string,
  createdAt: number,
  severity: Severity = Severity.CT_INFO,
) {
  return { description, severity, timestamp: timestampFromMs(createdAt) };
}

function socketDataOf(
  { figures }: LookedAt,
): MessageInitShape<typeof SocketDataSchema> {
  const { traffic, windows, maxStreams, isClient } = figures;
  const { goawayCode } = traffic;
  return {
    streamsStarted: BigInt(traffic.streamsStarted),
    streamsSucceeded: BigInt(traffic.streamsSucceeded),
    streamsFailed: BigInt(traffic.streamsFailed),
    messagesSent: BigInt(traffic.messagesSent),
    messagesReceived: BigInt(traffic.messagesReceived),
    keepAlivesSent: BigInt(traffic.keepalivesSent),
    ...at(
      isClient
        ? "lastLocalStreamCreatedTimestamp"
        : "lastRemoteStreamCreatedTimestamp",
      traffic.lastStreamAt,
    ),
    ...at("lastMessageSentTimestamp", traffic.lastSentAt),
    ...at("lastMessageReceivedTimestamp", traffic.lastReceivedAt),
    ...windows === null ? {} : {
      localFlowControlWindow: BigInt(windows.local),
      remoteFlowControlWindow: BigInt(windows.remote),
    },
    ...goawayCode === null ? {} : { receivedGoawayError: goawayCode },
    // As many as there can be, for a peer that sets no limit.
    ...maxStreams === null ? {} : {
      peerMaxConcurrentStreams: Math.min(maxStreams, 0xffff_ffff),
    },
  };
}

/** A field for a time, if that was noted. */
function at<K extends string>(key: K, ms: number) {
  if (ms === 0) return {};
  return { [key]: timestampFromMs(ms) } as Record<
    K,
    ReturnType<typeof timestampFromMs>
  >;
}

function securityMessage(
  { cipher, localCertificate, remoteCertificate }: SecurityFigures,
): MessageInitShape<typeof SecuritySchema> {
  return {
    model: {
      case: "tls",
      value: {
        cipherSuite: { case: "standardName", value: cipher },
        ...localCertificate === null ? {} : { localCertificate },
        ...remoteCertificate === null ? {} : { remoteCertificate },
      },
    },
  };
}

function listenerName(address: PeerAddress): string {
  return `listener on ${new Peer(address)}`;
}

const NO_ADDRESS = Uint8Array.of(0, 0, 0, 0);

function addressMessage(
  address: PeerAddress | null,
): MessageInitShape<typeof AddressSchema> {
  const { hostname, port } = address !== null && "hostname" in address
    ? address
    : { hostname: "", port: 0 };
  const ipAddress = ipBytes(hostname) ?? NO_ADDRESS;
  return { address: { case: "tcpipAddress", value: { ipAddress, port } } };
}

/**
 * The bytes of an IP address: 4 of them, also for one of IPv4 that is written as
 * IPv6, or 16.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc4291#section-2.2}
 *
 * @param text The address, without brackets; a zone of it is left out.
 * @returns The bytes, or null if it is no address.
 */
export function ipBytes(text: string): Uint8Array | null {
  const address = text.replace(/%.*$/, "");
  const [v4] = /(?<=^|^::ffff:)\d+(\.\d+){3}$/i.exec(address) ?? [];
  if (v4 !== undefined) return Uint8Array.from(v4.split("."), Number);
  if (!/^[0-9a-f:]*:[0-9a-f:]*$/i.test(address)) return null;
  const [first = [], last = []] = address.split("::").map((part) =>
    part === "" ? [] : part.split(":")
  );
  const zeros = Array<string>(8 - first.length - last.length).fill("0");
  return Uint8Array.from(
    [...first, ...zeros, ...last].flatMap((group) => {
      const value = Number.parseInt(group, 16);
      return [value >> 8, value & 0xff];
    }),
  );
}
