"""A server of grpcio whose health is told by grpcio-health-checking.

    python health_server.py <name> [--without-health]

Prints its port; replies to grpclib.test.Echo/Unary with its name in the
trailers "x-server". Lines of its input are statuses to have from then on, such
as NOT_SERVING; it prints each when it has it.
"""

import sys
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

SERVICE = "grpclib.test.Echo"

name, *rest = sys.argv[1:]


def tell(text):
    print(text, flush=True)


def unary(_, context):
    context.set_trailing_metadata([("x-server", name)])
    return b""


class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        if details.method != f"/{SERVICE}/Unary":
            return None
        return grpc.unary_unary_rpc_method_handler(unary)


server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
server.add_generic_rpc_handlers((Echo(),))
servicer = health.HealthServicer()
if "--without-health" not in rest:
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
servicer.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
tell(server.add_insecure_port("127.0.0.1:0"))
server.start()
for line in sys.stdin:
    status = line.strip()
    servicer.set(SERVICE, health_pb2.HealthCheckResponse.ServingStatus.Value(status))
    tell(status)
server.stop(None).wait()
