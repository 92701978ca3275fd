"""grpcio as a contender, with its asyncio interface."""

import asyncio

import grpc.aio
from google.protobuf.wrappers_pb2 import BytesValue, Int32Value, StringValue
from peer import (
    CHAT_WINDOW,
    CHUNK_BYTES,
    RICH,
    RICH_TIMEOUT,
    SERVICE,
    TEXT,
    expect,
    main,
    payload,
)

MESSAGE = StringValue(value=TEXT)
CHUNK = BytesValue(value=payload(CHUNK_BYTES))


async def echo(request, context):
    return request


def repeating(message):
    async def download(request, context):
        for _ in range(request.value):
            yield message

    return download


async def count(requests, context):
    value = 0
    async for _ in requests:
        value += 1
    return Int32Value(value=value)


async def chat(requests, context):
    async for request in requests:
        yield request


def handler(make, behavior, request_type):
    return make(
        behavior,
        request_deserializer=request_type.FromString,
        response_serializer=lambda message: message.SerializeToString(),
    )


async def serve():
    server = grpc.aio.server()
    one_one = grpc.unary_unary_rpc_method_handler
    one_many = grpc.unary_stream_rpc_method_handler
    many_one = grpc.stream_unary_rpc_method_handler
    many_many = grpc.stream_stream_rpc_method_handler
    handlers = {
        "Unary": handler(one_one, echo, StringValue),
        "UnaryBytes": handler(one_one, echo, BytesValue),
        "Download": handler(one_many, repeating(MESSAGE), Int32Value),
        "DownloadBytes": handler(one_many, repeating(CHUNK), Int32Value),
        "Upload": handler(many_one, count, StringValue),
        "UploadBytes": handler(many_one, count, BytesValue),
        "Chat": handler(many_many, chat, StringValue),
    }
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE, handlers),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return port, server


def method(make, name, request_type, reply_type):
    return make(
        f"/{SERVICE}/{name}",
        request_serializer=request_type.SerializeToString,
        response_deserializer=reply_type.FromString,
    )


class Client:
    def __init__(self, port):
        self.port = port
        channel = self.channel = self.connect()
        self.unary = method(
            channel.unary_unary, "Unary", StringValue, StringValue
        )
        unary_bytes = method(
            channel.unary_unary, "UnaryBytes", BytesValue, BytesValue
        )

        def echoing(length):
            request = BytesValue(value=payload(length))

            async def call():
                reply = await unary_bytes(request)
                expect(len(reply.value), length)

            return call

        def downloading(name, reply_type):
            call = method(channel.unary_stream, name, Int32Value, reply_type)

            async def download(count):
                got = 0
                async for _ in call(Int32Value(value=count)):
                    got += 1
                return got

            return download

        def uploading(name, message):
            call = method(
                channel.stream_unary, name, type(message), Int32Value
            )

            async def upload(count):
                async def requests():
                    for _ in range(count):
                        yield message

                return (await call(requests())).value

            return upload

        self.calls = {
            "unary": self.call_unary,
            "rich": self.call_rich,
            "bytes4k": echoing(4 * 1024),
            "bytes1m": echoing(1024 * 1024),
            "connect": self.call_once,
        }
        self.streams = {
            "download": downloading("Download", StringValue),
            "downloadBytes": downloading("DownloadBytes", BytesValue),
            "upload": uploading("Upload", MESSAGE),
            "uploadBytes": uploading("UploadBytes", CHUNK),
            "chat": self.chat,
        }

    def connect(self):
        # Otherwise all channels of a process share their connections.
        options = [("grpc.use_local_subchannel_pool", 1)]
        return grpc.aio.insecure_channel(f"127.0.0.1:{self.port}", options)

    async def call_unary(self):
        reply = await self.unary(MESSAGE)
        expect(len(reply.value), len(TEXT))

    async def call_rich(self):
        reply = await self.unary(
            MESSAGE, metadata=tuple(RICH.items()), timeout=RICH_TIMEOUT
        )
        expect(len(reply.value), len(TEXT))

    async def call_once(self):
        async with self.connect() as channel:
            call = method(
                channel.unary_unary, "Unary", StringValue, StringValue
            )
            expect(len((await call(MESSAGE)).value), len(TEXT))

    async def chat(self, count):
        window = asyncio.Semaphore(CHAT_WINDOW)

        async def requests():
            for _ in range(count):
                await window.acquire()
                yield MESSAGE

        call = method(
            self.channel.stream_stream, "Chat", StringValue, StringValue
        )
        got = 0
        async for _ in call(requests()):
            got += 1
            window.release()
        return got


async def connect(port):
    return Client(port)


asyncio.run(main(serve, connect))
