"""grpcio as a peer that compresses, for the service of echo.proto.

    python grpcio_peer.py server gzip
    python grpcio_peer.py client gzip <port>

Messages are bytes here: a server gives back what it got, a client sends the
lines of its input, in hexadecimal. It leaves when its input ends.
"""

import sys
from concurrent import futures

import grpc

UNARY = "/grpclib.test.Echo/Unary"
ALGORITHMS = {
    "gzip": grpc.Compression.Gzip,
    "deflate": grpc.Compression.Deflate,
}

role, algorithm, *rest = sys.argv[1:]
compression = ALGORITHMS[algorithm]


def tell(text):
    print(text, flush=True)


class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        if details.method != UNARY:
            return None
        return grpc.unary_unary_rpc_method_handler(lambda request, _: request)


if role == "server":
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=2), compression=compression
    )
    server.add_generic_rpc_handlers((Echo(),))
    tell(server.add_insecure_port("127.0.0.1:0"))
    server.start()
    sys.stdin.read()
    server.stop(None).wait()
else:
    with grpc.insecure_channel(
        f"127.0.0.1:{rest[0]}", compression=compression
    ) as channel:
        call = channel.unary_unary(UNARY)
        for line in sys.stdin:
            try:
                reply = call(bytes.fromhex(line), timeout=10)
                tell(f"OK {reply.hex()}")
            except grpc.RpcError as error:
                tell(f"{error.code().name} {error.details()}")
