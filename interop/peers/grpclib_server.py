"""The server of the interoperability tests, with Python's grpclib.

    python grpclib_server.py --port=10000 [--tls_cert_file= --tls_key_file=]
"""

import asyncio
import ssl
import sys

from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError
from grpclib.server import Server
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


async def begin(stream):
    metadata = {}
    if ECHO_INITIAL in stream.metadata:
        metadata[ECHO_INITIAL] = stream.metadata[ECHO_INITIAL]
    await stream.send_initial_metadata(metadata=metadata)


async def finish(stream):
    if ECHO_TRAILING in stream.metadata:
        value = stream.metadata[ECHO_TRAILING]
        await stream.send_trailing_metadata(metadata={ECHO_TRAILING: value})


def check_status(request):
    if request.HasField("response_status"):
        status = request.response_status
        raise GRPCError(Status(status.code), status.message)


async def empty_call(stream):
    await stream.recv_message()
    await stream.send_message(Empty())


async def unary_call(stream):
    request = await stream.recv_message()
    await begin(stream)
    check_status(request)
    await stream.send_message(
        SimpleResponse(payload=payload(request.response_size))
    )
    await finish(stream)


async def answer(stream, request):
    for parameters in request.response_parameters:
        await stream.send_message(
            StreamingOutputCallResponse(payload=payload(parameters.size))
        )
    check_status(request)


async def streaming_output_call(stream):
    await answer(stream, await stream.recv_message())


async def streaming_input_call(stream):
    size = 0
    async for request in stream:
        size += len(request.payload.body)
    await stream.send_message(
        StreamingInputCallResponse(aggregated_payload_size=size)
    )


async def full_duplex_call(stream):
    await begin(stream)
    async for request in stream:
        await answer(stream, request)
    await finish(stream)


class TestService:
    def __mapping__(self):
        handlers = {
            "EmptyCall": empty_call,
            "UnaryCall": unary_call,
            "StreamingOutputCall": streaming_output_call,
            "StreamingInputCall": streaming_input_call,
            "FullDuplexCall": full_duplex_call,
        }
        kinds = {kind.value: kind for kind in Cardinality}
        mapping = {}
        for name, handle in handlers.items():
            streams, streamed, request, reply = METHODS[name]
            mapping[f"/{SERVICE}/{name}"] = Handler(
                handle, kinds[streams, streamed], request, reply
            )
        return mapping


async def main():
    context = None
    if "tls_cert_file" in options:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(
            options["tls_cert_file"], options["tls_key_file"]
        )
        context.set_alpn_protocols(["h2"])
    server = Server([TestService()])
    port = int(options.get("port", 0))
    await server.start("127.0.0.1", port, ssl=context)
    print(f"Serving on 127.0.0.1:{port}", flush=True)
    await server.wait_closed()


asyncio.run(main())
