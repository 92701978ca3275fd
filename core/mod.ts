/**
 * The words that clients and servers both speak.
 *
 * @module
 */

export {
  Cardinality,
  isClientStreaming,
  isServerStreaming,
} from "./cardinality.ts";
export type { Clock, ClockTimer } from "./clock.ts";
export {
  type ByteWriter,
  type Codec,
  type MessageInit,
  ProtoCodec,
} from "./codec.ts";
export { ProtoJsonCodec, type ProtoJsonCodecOptions } from "./json_codec.ts";
export {
  Configuration,
  type ConfigurationOptions,
  type ResolvedConfiguration,
} from "./config.ts";
export { Deadline } from "./deadline.ts";
export {
  GRPCError,
  type GRPCErrorOptions,
  ProtocolError,
  StreamTerminatedError,
} from "./errors.ts";
export {
  CallEnd,
  type CallInfo,
  type ClientEvent,
  Event,
  type EventClass,
  listen,
  type Listenable,
  type MethodDescriptor,
  type MethodFunc,
  RecvInitialMetadata,
  RecvMessage,
  RecvRequest,
  RecvTrailingMetadata,
  RetryCall,
  SendInitialMetadata,
  SendMessage,
  SendRequest,
  SendTrailingMetadata,
  type ServerEvent,
} from "./events.ts";
export {
  Metadata,
  type MetadataInit,
  type MetadataValue,
  type MetadataValueOf,
} from "./metadata.ts";
export {
  Peer,
  type PeerAddress,
  type PeerCertificate,
  type PeerCertificateName,
} from "./peer.ts";
export {
  findDetail,
  ProtoStatusDetailsCodec,
  type ProtoStatusDetailsCodecOptions,
  type StatusDetailsCodec,
  UnknownDetail,
} from "./status_details.ts";
export { isStatus, Status, type StatusName, statusName } from "./status.ts";
export type {
  ChannelTLSOptions,
  ClientCertificates,
  PEM,
  ServerTLSOptions,
  TLSOptions,
} from "./tls.ts";
