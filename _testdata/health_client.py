"""The client of grpcio-health-checking: asks for the health of services.

    python health_client.py <address> check <service>
    python health_client.py <address> watch <service> <count>
    python health_client.py <address> list
"""

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

address, command, *rest = sys.argv[1:]
name = health_pb2.HealthCheckResponse.ServingStatus.Name

with grpc.insecure_channel(address) as channel:
    stub = health_pb2_grpc.HealthStub(channel)
    try:
        if command == "check":
            request = health_pb2.HealthCheckRequest(service=rest[0])
            print(name(stub.Check(request, timeout=10).status))
        elif command == "watch":
            request = health_pb2.HealthCheckRequest(service=rest[0])
            replies = stub.Watch(request, timeout=10)
            for _ in range(int(rest[1])):
                print(name(next(replies).status))
        else:
            reply = stub.List(health_pb2.HealthListRequest(), timeout=10)
            for service in sorted(reply.statuses):
                print(f"{service}={name(reply.statuses[service].status)}")
    except grpc.RpcError as error:
        print(f"{error.code().name}: {error.details()}")
