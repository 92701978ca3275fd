"""grpclib as a contender."""

import asyncio

from google.protobuf.wrappers_pb2 import BytesValue, Int32Value, StringValue
from grpclib.client import (
    Channel,
    StreamStreamMethod,
    StreamUnaryMethod,
    UnaryStreamMethod,
    UnaryUnaryMethod,
)
from grpclib.const import Cardinality, Handler
from grpclib.server import Server
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


async def echo(stream):
    await stream.send_message(await stream.recv_message())


def repeating(message):
    async def download(stream):
        request = await stream.recv_message()
        for _ in range(request.value):
            await stream.send_message(message)

    return download


async def count(stream):
    value = 0
    async for _ in stream:
        value += 1
    await stream.send_message(Int32Value(value=value))


async def chat(stream):
    async for request in stream:
        await stream.send_message(request)


class Bench:
    def __mapping__(self):
        one_one = Cardinality.UNARY_UNARY
        one_many = Cardinality.UNARY_STREAM
        many_one = Cardinality.STREAM_UNARY
        many_many = Cardinality.STREAM_STREAM
        methods = [
            ("Unary", echo, one_one, StringValue, StringValue),
            ("UnaryBytes", echo, one_one, BytesValue, BytesValue),
            ("Download", repeating(MESSAGE), one_many, Int32Value, StringValue),
            ("DownloadBytes", repeating(CHUNK), one_many, Int32Value, BytesValue),
            ("Upload", count, many_one, StringValue, Int32Value),
            ("UploadBytes", count, many_one, BytesValue, Int32Value),
            ("Chat", chat, many_many, StringValue, StringValue),
        ]
        return {
            f"/{SERVICE}/{name}": Handler(behavior, cardinality, request, reply)
            for name, behavior, cardinality, request, reply in methods
        }


async def serve():
    server = Server([Bench()])
    await server.start("127.0.0.1", 0)
    port = server._server.sockets[0].getsockname()[1]
    return port, server


class Client:
    def __init__(self, port):
        self.port = port
        channel = self.channel = Channel("127.0.0.1", port)
        self.unary = self.unary_method(channel)
        unary_bytes = UnaryUnaryMethod(
            channel, f"/{SERVICE}/UnaryBytes", BytesValue, BytesValue
        )

        def echoing(length):
            request = BytesValue(value=payload(length))

            async def call():
                expect(len((await unary_bytes(request)).value), length)

            return call

        def downloading(name, reply_type):
            method = UnaryStreamMethod(
                channel, f"/{SERVICE}/{name}", Int32Value, reply_type
            )

            async def download(count):
                got = 0
                async with method.open() as stream:
                    await stream.send_message(Int32Value(value=count), end=True)
                    async for _ in stream:
                        got += 1
                return got

            return download

        def uploading(name, message):
            method = StreamUnaryMethod(
                channel, f"/{SERVICE}/{name}", type(message), Int32Value
            )

            async def upload(count):
                async with method.open() as stream:
                    for _ in range(count):
                        await stream.send_message(message)
                    await stream.end()
                    return (await stream.recv_message()).value

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

    def unary_method(self, channel):
        return UnaryUnaryMethod(
            channel, f"/{SERVICE}/Unary", StringValue, StringValue
        )

    async def call_unary(self):
        expect(len((await self.unary(MESSAGE)).value), len(TEXT))

    async def call_rich(self):
        reply = await self.unary(MESSAGE, timeout=RICH_TIMEOUT, metadata=RICH)
        expect(len(reply.value), len(TEXT))

    async def call_once(self):
        async with Channel("127.0.0.1", self.port) as channel:
            reply = await self.unary_method(channel)(MESSAGE)
            expect(len(reply.value), len(TEXT))

    async def chat(self, count):
        method = StreamStreamMethod(
            self.channel, f"/{SERVICE}/Chat", StringValue, StringValue
        )
        async with method.open() as stream:
            sent = got = 0
            while sent < min(CHAT_WINDOW, count):
                sent += 1
                await stream.send_message(MESSAGE)
            async for _ in stream:
                got += 1
                if sent < count:
                    sent += 1
                    await stream.send_message(MESSAGE)
                elif got == count:
                    await stream.end()
        return got


async def connect(port):
    return Client(port)


asyncio.run(main(serve, connect))
