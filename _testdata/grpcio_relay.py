"""grpcio between two others, for the service of echo.proto.

    python grpcio_relay.py <port>

It serves unary calls by calling the same method at the port, with the deadline
that it has itself, and cancels that call when its own one ends. It leaves when
its input ends.
"""

import sys
from concurrent import futures

import grpc

UNARY = "/grpclib.test.Echo/Unary"


def main():
    channel = grpc.insecure_channel(f"127.0.0.1:{sys.argv[1]}")
    call = channel.unary_unary(UNARY)

    def relay(request, context):
        child = call.future(request, timeout=context.time_remaining())
        # The call may have ended before there was a callback.
        if not context.add_callback(child.cancel):
            child.cancel()
        try:
            return child.result()
        except grpc.FutureCancelledError:
            context.abort(grpc.StatusCode.CANCELLED, "the call was cancelled")
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())

    class Relay(grpc.GenericRpcHandler):
        def service(self, details):
            if details.method != UNARY:
                return None
            return grpc.unary_unary_rpc_method_handler(relay)

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    server.add_generic_rpc_handlers((Relay(),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    sys.stdin.read()
    server.stop(None).wait()
    channel.close()


main()
