"""gRPC's own plugin for OpenTelemetry: what it calls its metrics.

    python measured_peer.py

It makes a call to itself, and tells of each metric its name, its unit, and the
keys that its values are marked with, as JSON.
"""

import json
import time
from concurrent import futures

import grpc
import grpc_observability
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

METHOD = "/pkg.Service/Method"
# All but the duration of calls, which the one for Python does not have.
NEEDED = 8


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        if details.method == METHOD:
            return grpc.unary_unary_rpc_method_handler(lambda it, _: it)
        return None


def read(reader):
    data = reader.get_metrics_data()
    found = {}
    for resource in data.resource_metrics if data else []:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                keys = set()
                for point in metric.data.data_points:
                    keys |= set(point.attributes)
                found[metric.name] = {
                    "name": metric.name,
                    "unit": metric.unit,
                    "keys": sorted(keys),
                }
    return found


reader = InMemoryMetricReader()
plugin = grpc_observability.OpenTelemetryPlugin(
    meter_provider=MeterProvider(metric_readers=[reader])
)
plugin.register_global()
server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
server.add_generic_rpc_handlers((Handler(),))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
    channel.unary_unary(METHOD, _registered_method=True)(b"", timeout=10)
found = {}
end = time.monotonic() + 12
# The plugin collects in the background.
while len(found) < NEEDED and time.monotonic() < end:
    time.sleep(0.1)
    found.update(read(reader))
plugin.deregister_global()
server.stop(None).wait()
print(json.dumps(list(found.values())), flush=True)
