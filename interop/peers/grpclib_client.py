"""The client of the interoperability tests, with Python's grpclib.

    python grpclib_client.py --server_port=10000 --test_case=a,b [--ca_file=]

Prints a line for each case: "ok name" or "FAILED name: why".
"""

import asyncio
import ssl
import sys

from grpclib.client import (
    Channel,
    StreamStreamMethod,
    StreamUnaryMethod,
    UnaryStreamMethod,
    UnaryUnaryMethod,
)
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from messages import (
    ECHO_INITIAL,
    ECHO_TRAILING,
    METHODS,
    SERVICE,
    Empty,
    SimpleRequest,
    StreamingInputCallRequest,
    StreamingOutputCallRequest,
    flags,
    payload,
)

SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
REQUESTS = [27182, 8, 1828, 45904]
REPLIES = [31415, 9, 2653, 58979]
KINDS = {
    (False, False): UnaryUnaryMethod,
    (False, True): UnaryStreamMethod,
    (True, False): StreamUnaryMethod,
    (True, True): StreamStreamMethod,
}

options = flags(sys.argv[1:])


def method(channel, name, service=SERVICE):
    streams, streamed, request, reply = METHODS[name]
    return KINDS[streams, streamed](
        channel, f"/{service}/{name}", request, reply
    )


def output(*sizes, **fields):
    request = StreamingOutputCallRequest(**fields)
    for size in sizes:
        request.response_parameters.add(size=size)
    return request


def large():
    return SimpleRequest(response_size=314159, payload=payload(271828))


async def fails(status, call):
    try:
        await call
    except GRPCError as error:
        assert error.status == status, error
        return error
    raise AssertionError("the call should fail")


async def empty_unary(channel):
    assert await method(channel, "EmptyCall")(Empty()) == Empty()


async def large_unary(channel):
    reply = await method(channel, "UnaryCall")(large())
    assert len(reply.payload.body) == 314159


async def client_streaming(channel):
    requests = [StreamingInputCallRequest(payload=payload(s)) for s in REQUESTS]
    reply = await method(channel, "StreamingInputCall")(requests)
    assert reply.aggregated_payload_size == 74922


async def server_streaming(channel):
    replies = await method(channel, "StreamingOutputCall")(output(*REPLIES))
    assert [len(reply.payload.body) for reply in replies] == REPLIES


async def ping_pong(channel):
    async with method(channel, "FullDuplexCall").open() as stream:
        for size, reply in zip(REQUESTS, REPLIES):
            await stream.send_message(output(reply, payload=payload(size)))
            message = await stream.recv_message()
            assert len(message.payload.body) == reply
        await stream.end()
        assert await stream.recv_message() is None


async def empty_stream(channel):
    assert await method(channel, "FullDuplexCall")([]) == []


async def custom_metadata(channel):
    metadata = {
        ECHO_INITIAL: "test_initial_metadata_value",
        ECHO_TRAILING: b"\xab\xab\xab",
    }
    for name, request in (
        ("UnaryCall", large()),
        ("FullDuplexCall", output(314159)),
    ):
        async with method(channel, name).open(metadata=metadata) as stream:
            await stream.send_message(request, end=True)
            await stream.recv_message()
            await stream.recv_trailing_metadata()
            initial = stream.initial_metadata
            assert initial[ECHO_INITIAL] == "test_initial_metadata_value"
            assert stream.trailing_metadata[ECHO_TRAILING] == b"\xab\xab\xab"


async def status_code_and_message(channel, message="test status message"):
    request = SimpleRequest()
    request.response_status.code = 2
    request.response_status.message = message
    error = await fails(Status.UNKNOWN, method(channel, "UnaryCall")(request))
    assert error.message == message
    stream = StreamingOutputCallRequest()
    stream.response_status.CopyFrom(request.response_status)
    error = await fails(
        Status.UNKNOWN, method(channel, "FullDuplexCall")([stream])
    )
    assert error.message == message


async def special_status_message(channel):
    await status_code_and_message(channel, SPECIAL)


async def unimplemented_method(channel):
    call = method(channel, "UnimplementedCall")(Empty())
    await fails(Status.UNIMPLEMENTED, call)


async def unimplemented_service(channel):
    service = "grpc.testing.UnimplementedService"
    call = method(channel, "UnimplementedCall", service)(Empty())
    await fails(Status.UNIMPLEMENTED, call)


async def cancel_after_begin(channel):
    async with method(channel, "StreamingInputCall").open() as stream:
        await stream.send_request()
        await stream.cancel()
    await empty_unary(channel)


async def cancel_after_first_response(channel):
    async with method(channel, "FullDuplexCall").open() as stream:
        await stream.send_message(output(31415, payload=payload(27182)))
        assert len((await stream.recv_message()).payload.body) == 31415
        await stream.cancel()
    await empty_unary(channel)


async def timeout_on_sleeping_server(channel):
    try:
        async with method(channel, "FullDuplexCall").open(
            timeout=0.01
        ) as stream:
            await stream.send_message(output(payload=payload(27182)))
            await stream.recv_message()
    except (asyncio.TimeoutError, GRPCError) as error:
        if isinstance(error, GRPCError):
            assert error.status == Status.DEADLINE_EXCEEDED, error
        return
    raise AssertionError("the call should fail")


async def rpc_soak(channel):
    for _ in range(10):
        await large_unary(channel)


async def main():
    context = None
    if "ca_file" in options:
        context = ssl.create_default_context(cafile=options["ca_file"])
        context.set_alpn_protocols(["h2"])
    failed = False
    port = int(options["server_port"])
    for name in options["test_case"].split(","):
        try:
            async with Channel("localhost", port, ssl=context) as channel:
                await asyncio.wait_for(globals()[name](channel), 20)
            print(f"ok {name}", flush=True)
        except Exception as error:  # pylint: disable=broad-except
            failed = True
            print(f"FAILED {name}: {error!r}"[:500], flush=True)
    sys.exit(1 if failed else 0)


asyncio.run(main())
