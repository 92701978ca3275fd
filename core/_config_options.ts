/**
 * Options for {@linkcode Configuration}.
 *
 * One configuration may serve clients and servers: each side reads what
 * concerns it. In brackets stands what gRPC-core calls the option.
 */
export interface ConfigurationOptions {
  /**
   * How many bytes the other side may send on a connection before this side
   * has read them, all calls together; an integer from 65535 to 2³¹ − 1.
   *
   * @default {4194304}
   */
  readonly http2ConnectionWindowSize?: number;
  /**
   * How many bytes the other side may send in a call before this side has
   * read them; an integer from 65535 to 2³¹ − 1.
   * [`grpc.http2.lookahead_bytes`]
   *
   * @default {4194304}
   */
  readonly http2StreamWindowSize?: number;
  /**
   * The largest message to receive, in bytes; an integer from 0 to 2³² − 1.
   * A larger one ends the call with RESOURCE_EXHAUSTED.
   * [`grpc.max_receive_message_length`]
   *
   * @default {4194304}
   */
  readonly maxReceiveMessageSize?: number;
  /**
   * The largest message to send, in bytes; an integer from 0 to 2³² − 1.
   * [`grpc.max_send_message_length`]
   *
   * @default {4294967295}
   */
  readonly maxSendMessageSize?: number;
  /**
   * The smallest message to compress, where messages are compressed, in bytes;
   * an integer from 0 to 2³² − 1. Less is hardly worth the work.
   *
   * @default {1024}
   */
  readonly minCompressMessageSize?: number;
  /**
   * The largest header list to receive, in bytes as HTTP/2 counts them (name,
   * value and 32 for each field); an integer from 1024 to 2³¹ − 1. The other
   * side is told, and a call with a larger one is reset.
   * [`grpc.absolute_max_metadata_size`]
   *
   * @default {65536}
   */
  readonly maxHeaderListSize?: number;
  /**
   * How long one attempt to connect may take, TLS and the server's SETTINGS
   * included, in milliseconds; more than 0, at most 2³¹ − 1. Of a server: how
   * long a client may take for TLS, and then for its SETTINGS.
   * [`grpc.min_reconnect_backoff_ms`]
   *
   * @default {20000}
   */
  readonly connectTimeoutMs?: number;
  /**
   * Of a client: how long one address of a server that has several is tried
   * before the next is tried beside it, in milliseconds; more than 0, at most
   * 2³¹ − 1. The first that is connected is taken. RFC 8305 recommends 100 to
   * 2000.
   *
   * @default {250}
   */
  readonly connectionAttemptDelayMs?: number;
  /**
   * Of a client: how long names are not looked up again after an answer,
   * whatever happens, in milliseconds; from 0 to 2³¹ − 1. With `pick_first` they
   * are looked up for each connection.
   * [`grpc.dns_min_time_between_resolutions_ms`]
   *
   * @default {30000}
   */
  readonly minResolutionIntervalMs?: number;
  /**
   * Of a client: after how long names are looked up again though nothing is
   * wrong, so that servers that were added get their share, in milliseconds; more
   * than 0, at most 2³¹ − 1, or Infinity for never. With `pick_first` they are
   * not, only a resolver is asked.
   *
   * @default {60000}
   */
  readonly resolutionRefreshMs?: number;
  /**
   * Of a client: how long it waits after the first failed attempt to connect,
   * in milliseconds; more than 0, at most 2³¹ − 1. Each further wait is 1.6
   * times as long, and all vary by a fifth either way.
   * [`grpc.initial_reconnect_backoff_ms`]
   *
   * @default {1000}
   */
  readonly initialReconnectBackoffMs?: number;
  /**
   * Of a client: the longest it waits after a failed attempt to connect, the
   * first included, in milliseconds; more than 0, at most 2³¹ − 1.
   * [`grpc.max_reconnect_backoff_ms`]
   *
   * @default {120000}
   */
  readonly maxReconnectBackoffMs?: number;
  /**
   * The silence after which a PING asks whether the other side is still there,
   * in milliseconds; more than 0, at most 2³¹ − 1, or Infinity for never.
   * Servers may refuse clients that ask more often than they allow.
   * [`grpc.keepalive_time_ms`]
   *
   * @default {Infinity} for a client, 7200000 for a server
   */
  readonly keepaliveTimeMs?: number;
  /**
   * How long the acknowledgement of a PING may take before the connection is given up,
   * in milliseconds; more than 0, at most 2³¹ − 1.
   * [`grpc.keepalive_timeout_ms`]
   *
   * @default {20000}
   */
  readonly keepaliveTimeoutMs?: number;
  /**
   * Whether PINGs are sent while there is no call; and of a server, whether
   * its clients may do so.
   * [`grpc.keepalive_permit_without_calls`]
   *
   * @default {false}
   */
  readonly keepalivePermitWithoutCalls?: boolean;
  /**
   * How many PINGs may follow each other without a frame of a call between
   * them; an integer from 0 to 2³¹ − 1, where 0 sets no limit.
   * [`grpc.http2.max_pings_without_data`]
   *
   * @default {2}
   */
  readonly http2MaxPingsWithoutData?: number;
  /**
   * The least time between two PINGs without a frame of a call between them,
   * in milliseconds; from 0 to 2³¹ − 1.
   * [`grpc.http2.min_time_between_pings_ms`]
   *
   * @default {300000}
   */
  readonly http2MinSentPingIntervalWithoutDataMs?: number;
  /**
   * Of a client: how long a connection without calls is kept, in milliseconds;
   * more than 0, at most 2³¹ − 1, or Infinity for ever. The next call reconnects.
   * [`grpc.client_idle_timeout_ms`]
   *
   * @default {1800000}
   */
  readonly idleTimeoutMs?: number;
  /**
   * Of a client: the host name to ask for and to look for in the server's
   * certificate, instead of the one it connects to. `serverName` of the
   * channel's `tls` goes before it.
   * [`grpc.ssl_target_name_override`]
   *
   * @default {undefined}
   */
  readonly tlsTargetNameOverride?: string;
  /**
   * Of a server: the least time between two PINGs of a client without a frame
   * of a call between them, in milliseconds; from 0 to 2³¹ − 1. An earlier one
   * is a strike.
   * [`grpc.http2.min_ping_interval_without_data_ms`]
   *
   * @default {300000}
   */
  readonly http2MinRecvPingIntervalWithoutDataMs?: number;
  /**
   * Of a server: how many strikes a client has before its connection is ended
   * with `too_many_pings`; an integer from 0 to 2³¹ − 1, where 0 allows any
   * number.
   * [`grpc.http2.max_ping_strikes`]
   *
   * @default {2}
   */
  readonly http2MaxPingStrikes?: number;
  /**
   * Of a server: how old a connection becomes before the client is asked to
   * make another, in milliseconds; more than 0, at most 2³¹ − 1, or Infinity.
   * The age of each connection varies by a tenth either way.
   * [`grpc.max_connection_age_ms`]
   *
   * @default {Infinity}
   */
  readonly maxConnectionAgeMs?: number;
  /**
   * Of a server: how long calls may go on when the age of their connection is
   * up, in milliseconds; from 0 to 2³¹ − 1, or Infinity.
   * [`grpc.max_connection_age_grace_ms`]
   *
   * @default {Infinity}
   */
  readonly maxConnectionAgeGraceMs?: number;
  /**
   * Of a server: how long a connection without calls is kept, in milliseconds;
   * more than 0, at most 2³¹ − 1, or Infinity.
   * [`grpc.max_connection_idle_ms`]
   *
   * @default {Infinity}
   */
  readonly maxConnectionIdleMs?: number;
  /**
   * Of a server: how many calls may run at once on a connection; an integer
   * from 1 to 2³¹ − 1. Clients are told, and make further calls wait.
   * [`grpc.max_concurrent_streams`]
   *
   * @default {1000}
   */
  readonly maxConcurrentStreams?: number;
  /**
   * Of a server: how many connections there may be at once; an integer from 1
   * to 2³¹ − 1, or Infinity. Further ones are closed as soon as they are made,
   * and told to `onConnectionError`. Each takes a file descriptor: there should
   * be some more of these (`ulimit -n`).
   * [`grpc.max_allowed_incoming_connections`]
   *
   * @default {2000}
   */
  readonly maxConnections?: number;
  /**
   * Of a server: how many connections there may be at once from one address; an
   * integer from 1 to 2³¹ − 1, or Infinity. Further ones are closed as soon as
   * they are made, and told to `onConnectionError`. The first 64 bits of an IPv6
   * address count as one, and unix sockets have none. Clients behind a proxy or
   * NAT have one address together.
   *
   * @default {Infinity}
   */
  readonly maxConnectionsPerAddress?: number;
  /**
   * Of a server: how many calls a client may open and cancel again within one
   * second, on one connection, before that is ended with `ENHANCE_YOUR_CALM`; an
   * integer from 1 to 2³¹ − 1, or Infinity. Such calls cost the client next to
   * nothing and the server much (CVE-2023-44487); those that were open for longer
   * do not count. `node:http2` has a limit of its own, of some 1000 cancelled
   * calls at once, which cannot be raised.
   *
   * @default {500}
   */
  readonly maxResetStreamsPerSecond?: number;
  /**
   * How many bytes a server, or a channel, holds for its peers: messages that
   * have come and were not taken, in part or whole, and what was sent and is not
   * written; an integer from 65536 to 2⁵³ − 1, or Infinity. From three quarters of it on,
   * connections that hold more than their share have to wait. When it is exceeded
   * nevertheless, the call that holds most ends with RESOURCE_EXHAUSTED. It is
   * twice `maxHeldBytesPerConnection` at least.
   *
   * @default {100663296}
   */
  readonly maxHeldBytes?: number;
  /**
   * How many of these bytes may be held for one connection; an integer from
   * 65536 to 2⁵³ − 1, or Infinity. When there are more, nothing more is read of it and its
   * new calls wait. It is twice `maxReceiveMessageSize` at least.
   *
   * @default {25165824}
   */
  readonly maxHeldBytesPerConnection?: number;
  /**
   * How many bytes the compressed messages of a call may inflate to, for each
   * byte that has come, beside 16 MiB that are free; an integer from 1 to
   * 2³¹ − 1, or Infinity. A call with more ends with RESOURCE_EXHAUSTED. No
   * message of gzip or deflate can inflate to more than 1032 times its size.
   *
   * @default {1100}
   */
  readonly maxDecompressionRatio?: number;
  /**
   * Of a server: how many handlers may run at once; an integer from 1 to 2³¹ − 1,
   * or Infinity. A handler counts until it returns, whether its call is over or
   * not. Further calls wait. For one connection the limit is
   * `maxConcurrentStreams`.
   *
   * @default {4000}
   */
  readonly maxRunningCalls?: number;
  /**
   * Of a server: how many handlers of one method may run at once; an integer from
   * 1 to 2³¹ − 1, or Infinity. Further calls wait.
   *
   * @default {Infinity}
   */
  readonly maxRunningCallsPerMethod?: number;
  /**
   * Of a server: how many calls may wait until their handlers can run; an integer
   * from 0 to 2³¹ − 1, or Infinity. Further ones end with RESOURCE_EXHAUSTED, and
   * their clients are told to try again a second later.
   *
   * @default {1000}
   */
  readonly maxQueuedCalls?: number;
  /**
   * Of a server: how long calls may wait for that, in milliseconds; more than 0,
   * at most 2³¹ − 1, or Infinity. Then they end with RESOURCE_EXHAUSTED.
   *
   * @default {10000}
   */
  readonly maxQueueTimeMs?: number;
  /**
   * Of a server: how long nothing may come of a request that has begun and is not
   * whole, in milliseconds; more than 0, at most 2³¹ − 1, or Infinity. Then the
   * call ends with DEADLINE_EXCEEDED. As long, too, may a client take nothing of
   * its replies while more is held for it than `maxHeldBytesPerConnection`; then
   * its connection ends.
   *
   * @default {60000}
   */
  readonly requestTimeoutMs?: number;
  /**
   * Of a server: how late the event loop may be, twice in succession, before new
   * calls are refused, in milliseconds; more than 0, at most 2³¹ − 1, or Infinity.
   * They end with UNAVAILABLE, and their clients are told to try again a second
   * later.
   *
   * @default {5000}
   */
  readonly maxEventLoopDelayMs?: number;
  /**
   * Of a client: how many attempts a call may have, the first included; an
   * integer from 2 to 2³¹ − 1. A service config that asks for more gets as many.
   *
   * @default {5}
   */
  readonly maxAttemptsLimit?: number;
  /**
   * Of a client: how many bytes of its requests a call keeps for further
   * attempts; an integer from 0 to 2³¹ − 1. A call that has sent more has no
   * further ones. [`grpc.per_rpc_retry_buffer_size`]
   *
   * @default {1048576}
   */
  readonly perCallRetryBufferSize?: number;
  /**
   * Of a client: how many bytes all calls of a channel keep for further attempts;
   * an integer from 0 to 2³¹ − 1. A call for which there is no room has no
   * further ones.
   *
   * @default {16777216}
   */
  readonly retryBufferSize?: number;
}
