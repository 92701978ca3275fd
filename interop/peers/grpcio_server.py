"""The server of the interoperability tests, with Python's grpcio.

    python grpcio_server.py --port=0 [--tls_cert_file= --tls_key_file=]
"""

import sys
from concurrent import futures

import grpc
from messages import (
    ECHO_INITIAL,
    ECHO_TRAILING,
    METHODS,
    SERVICE,
    Empty,
    SimpleResponse,
    StreamingInputCallResponse,
    StreamingOutputCallResponse,
    flags,
    payload,
)

options = flags(sys.argv[1:])


def echo_metadata(context):
    metadata = dict(context.invocation_metadata())
    if ECHO_INITIAL in metadata:
        context.send_initial_metadata([(ECHO_INITIAL, metadata[ECHO_INITIAL])])
    if ECHO_TRAILING in metadata:
        context.set_trailing_metadata([(ECHO_TRAILING, metadata[ECHO_TRAILING])])


def check_status(request, context):
    if request.HasField("response_status"):
        status = request.response_status
        code = next(c for c in grpc.StatusCode if c.value[0] == status.code)
        context.abort(code, status.message)


def compress(context, wanted):
    if not wanted:
        context.disable_next_message_compression()


def empty_call(request, context):
    return Empty()


def unary_call(request, context):
    echo_metadata(context)
    compress(context, request.response_compressed.value)
    check_status(request, context)
    return SimpleResponse(payload=payload(request.response_size))


def replies_to(request, context):
    for parameters in request.response_parameters:
        compress(context, parameters.compressed.value)
        yield StreamingOutputCallResponse(payload=payload(parameters.size))
    check_status(request, context)


def streaming_output_call(request, context):
    yield from replies_to(request, context)


def streaming_input_call(requests, context):
    size = sum(len(request.payload.body) for request in requests)
    return StreamingInputCallResponse(aggregated_payload_size=size)


def full_duplex_call(requests, context):
    echo_metadata(context)
    for request in requests:
        yield from replies_to(request, context)


HANDLERS = {
    "EmptyCall": empty_call,
    "UnaryCall": unary_call,
    "StreamingOutputCall": streaming_output_call,
    "StreamingInputCall": streaming_input_call,
    "FullDuplexCall": full_duplex_call,
}
KINDS = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}

server = grpc.server(
    futures.ThreadPoolExecutor(max_workers=20),
    compression=grpc.Compression.Gzip,
)
handlers = {}
for name, handle in HANDLERS.items():
    streams, streamed, request, reply = METHODS[name]
    handlers[name] = KINDS[streams, streamed](
        handle,
        request_deserializer=request.FromString,
        response_serializer=reply.SerializeToString,
    )
server.add_generic_rpc_handlers(
    [grpc.method_handlers_generic_handler(SERVICE, handlers)]
)

address = f"127.0.0.1:{options.get('port', 0)}"
if "tls_cert_file" in options:
    with open(options["tls_key_file"], "rb") as key:
        with open(options["tls_cert_file"], "rb") as cert:
            pair = (key.read(), cert.read())
    port = server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
else:
    port = server.add_insecure_port(address)
server.start()
print(f"Serving on 127.0.0.1:{port}", flush=True)
server.wait_for_termination()
