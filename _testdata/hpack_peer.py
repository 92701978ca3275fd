"""Python's hpack as a peer: reads lines of JSON, and answers each with one.

    python hpack_peer.py

A line is a list of steps of one connection, with a decoder and an encoder of
its own. The answer has one thing for each:

    ["size", 256]               null; the size of both tables
    ["decode", "8286"]          [":method", "GET", ":scheme", "http"], or null
                                if it is malformed
    ["encode", ["a", "b"]]      the block, in hexadecimal

A character of a string stands for one byte. It leaves when its input ends.
"""

import json
import sys

from hpack import Decoder, Encoder, HPACKError


def latin1(text):
    return text.encode("latin-1")


def run(steps):
    decoder = Decoder(max_header_list_size=1 << 30)
    encoder = Encoder()
    for index, (what, argument) in enumerate(steps):
        if what == "size":
            decoder.max_allowed_table_size = argument
            encoder.header_table_size = argument
            yield None
        elif what == "decode":
            try:
                fields = decoder.decode(bytes.fromhex(argument), raw=True)
            except HPACKError:
                yield None
                return
            yield [
                part.decode("latin-1")
                for name, value in fields
                for part in (name, value)
            ]
        else:
            names, values = argument[::2], argument[1::2]
            fields = [
                (latin1(name), latin1(value), index % 3 == 2)
                for name, value in zip(names, values)
            ]
            yield encoder.encode(fields, huffman=index % 2 == 0).hex()


for line in sys.stdin:
    print(json.dumps(list(run(json.loads(line)))), flush=True)
