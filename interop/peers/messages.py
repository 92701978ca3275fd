"""The messages of the interoperability tests, made of their .proto files.

No code is generated: the package of the tests is named as Python's own grpc
is, and one would hide the other.
"""

import pathlib
import tempfile

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc

ROOT = pathlib.Path(__file__).parent.parent / "proto"


def load():
    with tempfile.NamedTemporaryFile() as file:
        code = protoc.main(
            [
                "protoc",
                f"-I{ROOT}",
                "--include_imports",
                f"--descriptor_set_out={file.name}",
                "grpc/testing/test.proto",
            ]
        )
        if code != 0:
            raise RuntimeError("Cannot compile test.proto")
        files = descriptor_pb2.FileDescriptorSet.FromString(file.read())
    pool = descriptor_pool.DescriptorPool()
    for one in files.file:
        pool.Add(one)

    def message(name):
        return message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"grpc.testing.{name}")
        )

    return message


message = load()
Empty = message("Empty")
SimpleRequest = message("SimpleRequest")
SimpleResponse = message("SimpleResponse")
StreamingInputCallRequest = message("StreamingInputCallRequest")
StreamingInputCallResponse = message("StreamingInputCallResponse")
StreamingOutputCallRequest = message("StreamingOutputCallRequest")
StreamingOutputCallResponse = message("StreamingOutputCallResponse")
Payload = message("Payload")

SERVICE = "grpc.testing.TestService"
ECHO_INITIAL = "x-grpc-test-echo-initial"
ECHO_TRAILING = "x-grpc-test-echo-trailing-bin"

#: Each method: is the request a stream, is the reply, and their types.
METHODS = {
    "EmptyCall": (False, False, Empty, Empty),
    "UnaryCall": (False, False, SimpleRequest, SimpleResponse),
    "StreamingOutputCall": (
        False,
        True,
        StreamingOutputCallRequest,
        StreamingOutputCallResponse,
    ),
    "StreamingInputCall": (
        True,
        False,
        StreamingInputCallRequest,
        StreamingInputCallResponse,
    ),
    "FullDuplexCall": (
        True,
        True,
        StreamingOutputCallRequest,
        StreamingOutputCallResponse,
    ),
    "UnimplementedCall": (False, False, Empty, Empty),
}


def flags(args):
    """Reads flags of the form --name=value."""
    return dict(arg.lstrip("-").split("=", 1) for arg in args)


def payload(size):
    return Payload(body=bytes(size))
