"""The client of the interoperability tests, with Python's grpcio.

    python grpcio_client.py --server_port=10000 --test_case=a,b [--ca_file=]

Prints a line for each case: "ok name" or "FAILED name: why".
"""

import sys
import threading

import grpc
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
LIMIT = 20

options = flags(sys.argv[1:])
target = f"localhost:{options['server_port']}"
if "ca_file" in options:
    with open(options["ca_file"], "rb") as ca:
        credentials = grpc.ssl_channel_credentials(ca.read())
    channel = grpc.secure_channel(target, credentials)
else:
    channel = grpc.insecure_channel(target)

KINDS = {
    (False, False): channel.unary_unary,
    (False, True): channel.unary_stream,
    (True, False): channel.stream_unary,
    (True, True): channel.stream_stream,
}


def method(name, service=SERVICE):
    streams, streamed, request, reply = METHODS[name]
    return KINDS[streams, streamed](
        f"/{service}/{name}",
        request_serializer=request.SerializeToString,
        response_deserializer=reply.FromString,
    )


def output(*sizes, **fields):
    request = StreamingOutputCallRequest(**fields)
    for size in sizes:
        request.response_parameters.add(size=size)
    return request


def large():
    return SimpleRequest(response_size=314159, payload=payload(271828))


def fails(code, call):
    try:
        call()
    except grpc.RpcError as error:
        assert error.code() == code, error
        return error
    raise AssertionError("the call should fail")


def empty_unary():
    assert method("EmptyCall")(Empty(), timeout=LIMIT) == Empty()


def large_unary():
    reply = method("UnaryCall")(large(), timeout=LIMIT)
    assert len(reply.payload.body) == 314159


def client_compressed_unary():
    call = method("UnaryCall")
    request = large()
    request.expect_compressed.value = True
    fails(
        grpc.StatusCode.INVALID_ARGUMENT, lambda: call(request, timeout=LIMIT)
    )
    call(request, timeout=LIMIT, compression=grpc.Compression.Gzip)
    request.expect_compressed.value = False
    call(request, timeout=LIMIT)


def server_compressed_unary():
    for value in (True, False):
        request = large()
        request.response_compressed.value = value
        reply = method("UnaryCall")(request, timeout=LIMIT)
        assert len(reply.payload.body) == 314159


def client_streaming():
    requests = (StreamingInputCallRequest(payload=payload(s)) for s in REQUESTS)
    reply = method("StreamingInputCall")(requests, timeout=LIMIT)
    assert reply.aggregated_payload_size == 74922


def server_streaming():
    replies = method("StreamingOutputCall")(output(*REPLIES), timeout=LIMIT)
    assert [len(reply.payload.body) for reply in replies] == REPLIES


def server_compressed_streaming():
    request = output(31415, 92653)
    request.response_parameters[0].compressed.value = True
    request.response_parameters[1].compressed.value = False
    replies = method("StreamingOutputCall")(request, timeout=LIMIT)
    assert [len(reply.payload.body) for reply in replies] == [31415, 92653]


def ping_pong():
    answered = threading.Semaphore(0)

    def requests():
        for size, reply in zip(REQUESTS, REPLIES):
            yield output(reply, payload=payload(size))
            answered.acquire(timeout=5)

    got = []
    for reply in method("FullDuplexCall")(requests(), timeout=LIMIT):
        got.append(len(reply.payload.body))
        answered.release()
    assert got == REPLIES


def empty_stream():
    assert list(method("FullDuplexCall")(iter([]), timeout=LIMIT)) == []


def custom_metadata():
    metadata = [
        (ECHO_INITIAL, "test_initial_metadata_value"),
        (ECHO_TRAILING, b"\xab\xab\xab"),
    ]
    _, unary = method("UnaryCall").with_call(
        large(), timeout=LIMIT, metadata=metadata
    )
    duplex = method("FullDuplexCall")(
        iter([output(314159)]), timeout=LIMIT, metadata=metadata
    )
    list(duplex)
    for call in (unary, duplex):
        initial = dict(call.initial_metadata())
        assert initial[ECHO_INITIAL] == "test_initial_metadata_value"
        assert dict(call.trailing_metadata())[ECHO_TRAILING] == b"\xab\xab\xab"


def status_code_and_message(message="test status message"):
    request = SimpleRequest()
    request.response_status.code = 2
    request.response_status.message = message
    error = fails(
        grpc.StatusCode.UNKNOWN,
        lambda: method("UnaryCall")(request, timeout=LIMIT),
    )
    assert error.details() == message
    stream = StreamingOutputCallRequest()
    stream.response_status.CopyFrom(request.response_status)
    error = fails(
        grpc.StatusCode.UNKNOWN,
        lambda: list(method("FullDuplexCall")(iter([stream]), timeout=LIMIT)),
    )
    assert error.details() == message


def special_status_message():
    status_code_and_message(SPECIAL)


def unimplemented_method():
    call = method("UnimplementedCall")
    fails(grpc.StatusCode.UNIMPLEMENTED, lambda: call(Empty(), timeout=LIMIT))


def unimplemented_service():
    call = method("UnimplementedCall", "grpc.testing.UnimplementedService")
    fails(grpc.StatusCode.UNIMPLEMENTED, lambda: call(Empty(), timeout=LIMIT))


def cancel_after_begin():
    held = threading.Event()
    requests = iter(lambda: held.wait(5), None)
    call = method("StreamingInputCall").future(requests, timeout=LIMIT)
    call.cancel()
    held.set()
    assert call.cancelled()


def cancel_after_first_response():
    held = threading.Event()

    def requests():
        yield output(31415, payload=payload(27182))
        held.wait(5)

    call = method("FullDuplexCall")(requests(), timeout=LIMIT)
    next(call)
    call.cancel()
    fails(grpc.StatusCode.CANCELLED, lambda: next(call))
    held.set()


def timeout_on_sleeping_server():
    held = threading.Event()

    def requests():
        yield output(payload=payload(27182))
        held.wait(5)

    call = method("FullDuplexCall")(requests(), timeout=0.01)
    fails(grpc.StatusCode.DEADLINE_EXCEEDED, lambda: next(call))
    held.set()


def rpc_soak():
    for _ in range(10):
        large_unary()


failed = False
for name in options["test_case"].split(","):
    try:
        globals()[name]()
        print(f"ok {name}", flush=True)
    except BaseException as error:  # pylint: disable=broad-except
        failed = True
        print(f"FAILED {name}: {error!r}".replace("\n", " ")[:500], flush=True)
channel.close()
sys.exit(1 if failed else 0)
