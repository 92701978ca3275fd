"""Reads all that a server reflects, with grpcio-reflection's client.

The argument is the address of `examples/reflection/server.ts`. Writes what it
has found as JSON.
"""

import json
import sys

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

with grpc.insecure_channel(sys.argv[1]) as channel:
    database = ProtoReflectionDescriptorDatabase(channel)
    pool = DescriptorPool(database)
    services = list(database.get_services())
    service = pool.FindServiceByName("inventory.v1.Inventory")
    try:
        pool.FindMessageTypeByName("inventory.v1.None")
        missing = False
    except KeyError:
        missing = True

    method = service.methods_by_name["FindItem"]
    request = GetMessageClass(method.input_type)
    reply = GetMessageClass(method.output_type)
    call = channel.unary_unary(
        f"/{service.full_name}/{method.name}",
        request_serializer=request.SerializeToString,
        response_deserializer=reply.FromString,
    )
    item = call(request(sku="A-1"), timeout=10)

    print(
        json.dumps(
            {
                "services": services,
                "methods": [method.name for method in service.methods],
                "file": service.file.name,
                "imports": [file.name for file in service.file.dependencies],
                "symbol": pool.FindFileContainingSymbol(
                    "inventory.v1.Item.Shelf"
                ).name,
                "missing": missing,
                "extensions": list(
                    database.FindAllExtensionNumbers("inventory.v1.Item")
                ),
                "item": MessageToDict(item),
            }
        )
    )
