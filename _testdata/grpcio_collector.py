"""A collector of OpenTelemetry, made of grpcio and the official messages.

    python grpcio_collector.py

It tells its port, and, when a line comes, what it was sent: spans and metrics, a
line for each.
"""

import json
import sys
from concurrent import futures

import grpc
from opentelemetry.proto.collector.logs.v1 import (
    logs_service_pb2 as logs,
    logs_service_pb2_grpc as logs_grpc,
)
from opentelemetry.proto.collector.metrics.v1 import (
    metrics_service_pb2 as metrics,
    metrics_service_pb2_grpc as metrics_grpc,
)
from opentelemetry.proto.collector.trace.v1 import (
    trace_service_pb2 as trace,
    trace_service_pb2_grpc as trace_grpc,
)

told = []


class Traces(trace_grpc.TraceServiceServicer):
    def Export(self, request, context):
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    told.append(
                        {
                            "name": span.name,
                            "kind": span.kind,
                            "traceId": span.trace_id.hex(),
                            "spanId": span.span_id.hex(),
                            "parentSpanId": span.parent_span_id.hex(),
                            "scope": scope.scope.name,
                        }
                    )
        return trace.ExportTraceServiceResponse()


class Metrics(metrics_grpc.MetricsServiceServicer):
    def Export(self, request, context):
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points = getattr(metric, metric.WhichOneof("data")).data_points
                    told.append(
                        {
                            "name": metric.name,
                            "unit": metric.unit,
                            "keys": sorted(
                                {it.key for point in points for it in point.attributes}
                            ),
                        }
                    )
        return metrics.ExportMetricsServiceResponse()


class Logs(logs_grpc.LogsServiceServicer):
    def Export(self, request, context):
        return logs.ExportLogsServiceResponse()


server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
trace_grpc.add_TraceServiceServicer_to_server(Traces(), server)
metrics_grpc.add_MetricsServiceServicer_to_server(Metrics(), server)
logs_grpc.add_LogsServiceServicer_to_server(Logs(), server)
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
sys.stdin.readline()
server.stop(None).wait()
for item in told:
    print(json.dumps(item), flush=True)
