"""Serves health checks with reflection, by grpcio or by grpclib, the argument.

Writes the port, and leaves when the input ends.
"""

import asyncio
import sys


async def grpcio() -> None:
    import grpc.aio
    from grpc_health.v1 import health, health_pb2, health_pb2_grpc
    from grpc_reflection.v1alpha import reflection

    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(
        health.aio.HealthServicer(), server
    )
    names = [
        service.full_name
        for service in health_pb2.DESCRIPTOR.services_by_name.values()
    ]
    reflection.enable_server_reflection(
        [*names, reflection.SERVICE_NAME], server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


async def grpclib() -> None:
    from grpclib.health.service import Health
    from grpclib.reflection.service import ServerReflection
    from grpclib.server import Server

    server = Server(ServerReflection.extend([Health()]))
    await server.start("127.0.0.1", 0)
    print(server._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()
    await server.wait_closed()


asyncio.run({"grpcio": grpcio, "grpclib": grpclib}[sys.argv[1]]())
