"""What the contenders in Python have in common: they are told what to do as
peer.ts is, and their messages are the wrappers that come with protobuf."""

import asyncio
import json
import os
import resource
import sys
import time

TEXT = "abcdefghijklmnopqrstuvwxyz0123"
SERVICE = "grpclib.bench.Bench"
CHAT_WINDOW = 64
CHUNK_BYTES = 64 * 1024
RICH = {"x-a": "1", "x-b": "two", "x-c": "three"}
RICH_TIMEOUT = 10


def payload(length):
    """Makes bytes that are the same for all contenders."""
    seed = 1
    result = bytearray(length)
    for i in range(length):
        seed = seed * 48271 % 2147483647
        result[i] = 97 + seed % 16
    return bytes(result)


def expect(length, expected):
    if length != expected:
        raise ValueError(f"bad answer: needs {expected}, has {length}")


class Unsupported(Exception):
    pass


def cpu_us():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1e6


def rss_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


async def run_calls(call, concurrency, ms):
    latencies = []
    cpu, start = cpu_us(), time.perf_counter()
    end = start + ms / 1e3

    async def work():
        before = time.perf_counter()
        while before < end:
            await call()
            now = time.perf_counter()
            latencies.append((now - before) * 1e3)
            before = now

    await asyncio.gather(*(work() for _ in range(concurrency)))
    elapsed, used = time.perf_counter() - start, cpu_us() - cpu
    latencies.sort()
    return {
        "operations": len(latencies),
        "ms": elapsed * 1e3,
        "cpuUs": used,
        "p50": latencies[int(len(latencies) * 0.5)],
        "p99": latencies[int(len(latencies) * 0.99)],
    }


async def run_streams(stream, concurrency, count):
    each = -(-count // concurrency)
    cpu, start = cpu_us(), time.perf_counter()
    for got in await asyncio.gather(
        *(stream(each) for _ in range(concurrency))
    ):
        expect(got, each)
    return {
        "operations": each * concurrency,
        "ms": (time.perf_counter() - start) * 1e3,
        "cpuUs": cpu_us() - cpu,
    }


async def run(client, todo):
    concurrency = todo.get("concurrency", 1)
    if todo["do"] == "usage":
        return {"cpuUs": cpu_us(), "rssBytes": rss_bytes(), "heapBytes": 0}
    known = {"call": "calls", "stream": "streams"}.get(todo["do"])
    work = getattr(client, known, {}).get(todo.get("work")) if known else None
    if work is None:
        raise Unsupported("not made for this scenario")
    if todo["do"] == "call":
        return await run_calls(work, concurrency, todo["ms"])
    return await run_streams(work, concurrency, todo["count"])


def tell(answer):
    print(json.dumps(answer), flush=True)


async def main(serve, connect):
    """Is a server or a client until its input ends."""
    client = None
    if sys.argv[1] == "server":
        port, keep = await serve()
        tell({"port": port})
    else:
        client = await connect(int(sys.argv[2]))
        tell({"port": 0})
    lines = asyncio.StreamReader(limit=2**20)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    while line := await lines.readline():
        try:
            tell(await run(client, json.loads(line)))
        except Unsupported as error:
            tell({"unsupported": str(error)})
        except Exception as error:
            tell({"error": f"{type(error).__name__}: {error}"})
    sys.stdout.flush()
    # What is still open is of no interest.
    os._exit(0)
