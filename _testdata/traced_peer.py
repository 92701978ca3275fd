"""grpcio with OpenTelemetry's instrumentation, for the service of echo.proto.

    python traced_peer.py server
    python traced_peer.py client <port>

A server tells its port, and a client makes two calls in a span of its own. Both
tell the spans that they have made, when a line comes, and leave.
"""

import json
import sys
from concurrent import futures

import grpc
from opentelemetry import trace
from opentelemetry.instrumentation.grpc import (
    GrpcInstrumentorClient,
    GrpcInstrumentorServer,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import (
    InMemorySpanExporter,
)

UNARY = "/grpclib.test.Echo/Unary"
STREAM = "/grpclib.test.Echo/ServerStream"

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)


def tell(value):
    print(value, flush=True)


class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        if details.method == UNARY:
            return grpc.unary_unary_rpc_method_handler(lambda it, _: it)
        if details.method == STREAM:
            return grpc.unary_stream_rpc_method_handler(lambda it, _: [it, it])
        return None


if sys.argv[1] == "server":
    GrpcInstrumentorServer().instrument()
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    server.add_generic_rpc_handlers((Echo(),))
    tell(server.add_insecure_port("127.0.0.1:0"))
    server.start()
    sys.stdin.readline()
    server.stop(None).wait()
else:
    GrpcInstrumentorClient().instrument()
    with grpc.insecure_channel(f"127.0.0.1:{sys.argv[2]}") as channel:
        with trace.get_tracer("app").start_as_current_span("app"):
            channel.unary_unary(UNARY)(b"", timeout=10)
            list(channel.unary_stream(STREAM)(b"", timeout=10))
    tell("done")
    sys.stdin.readline()


def hexadecimal(number, digits):
    return f"{number:0{digits}x}"


for span in exporter.get_finished_spans():
    tell(
        json.dumps(
            {
                "name": span.name,
                "kind": span.kind.name,
                "traceId": hexadecimal(span.context.trace_id, 32),
                "spanId": hexadecimal(span.context.span_id, 16),
                "parentSpanId": ""
                if span.parent is None
                else hexadecimal(span.parent.span_id, 16),
            }
        )
    )
