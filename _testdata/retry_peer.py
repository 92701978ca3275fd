"""grpcio as a peer that tries calls again, or has them tried again.

    python retry_peer.py server
    python retry_peer.py client <port>

What both do is said in retry_peer.mjs.
"""

import sys
from concurrent import futures

import grpc

UNARY = "/grpclib.test.Echo/Unary"

role, *rest = sys.argv[1:]


def tell(text):
    print(text, flush=True)


def unary(_, context):
    metadata = dict(context.invocation_metadata())
    previous = metadata.get("grpc-previous-rpc-attempts", "0")
    trailers = [("x-previous", previous)]
    if int(previous) >= int(metadata.get("x-fail", "0")):
        context.set_trailing_metadata(trailers)
        return b""
    if "x-pushback" in metadata:
        trailers.append(("grpc-retry-pushback-ms", metadata["x-pushback"]))
    context.set_trailing_metadata(trailers)
    return context.abort(grpc.StatusCode.UNAVAILABLE, "Not yet")


class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        if details.method != UNARY:
            return None
        return grpc.unary_unary_rpc_method_handler(unary)


def serve():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    server.add_generic_rpc_handlers((Echo(),))
    tell(server.add_insecure_port("127.0.0.1:0"))
    server.start()
    sys.stdin.read()
    server.stop(None).wait()


def call(service_config):
    options = [
        ("grpc.service_config", service_config),
        ("grpc.enable_retries", 1),
    ]
    with grpc.insecure_channel(f"127.0.0.1:{rest[0]}", options) as channel:
        try:
            channel.unary_unary(UNARY)(b"", timeout=20)
            tell("OK")
        except grpc.RpcError as error:
            tell(error.code().name)


if role == "server":
    serve()
else:
    for line in sys.stdin:
        call(line)
