"""Reads channelz as grpcdebug does, with the stubs of grpcio-channelz.

The argument is the address of a server with the service; without one it is a
server of grpcio, and channelz that of C-core, which a few calls were made to.
Writes as JSON which fields are set in what it finds: in the first of each kind,
that has been used.

grpcdebug ends itself for an address that is none of TCP/IP, or is absent, and for
a subchannel without a state; so does this.
"""

import json
import sys
from concurrent import futures

import grpc
from grpc_channelz.v1 import channelz, channelz_pb2, channelz_pb2_grpc

LEAVES = ("google.protobuf.",)


def fields(message, path=""):
    """The names of all fields that are set, of lists those of the first."""
    names = set()
    for field, value in message.ListFields():
        name = path + field.name
        if field.message_type is None:
            names.add(name)
            continue
        if field.is_repeated:
            value = value[0]
        if field.message_type.full_name.startswith(LEAVES):
            names.add(name)
        else:
            names |= fields(value, name + ".")
    return names


def address_of(address):
    if not address.HasField("tcpip_address"):
        raise AssertionError(f"grpcdebug would panic: {address}")
    if len(address.tcpip_address.ip_address) not in (4, 16):
        raise AssertionError(f"no IP address: {address}")
    return address.tcpip_address.port


def socket_of(stub, ref, is_strict):
    request = channelz_pb2.GetSocketRequest(socket_id=ref.socket_id)
    socket = stub.GetSocket(request).socket
    assert socket.ref.socket_id == ref.socket_id
    address_of(socket.local)
    if is_strict:
        address_of(socket.remote)
    return socket


def read(stub, is_strict):
    found = {}
    top = stub.GetTopChannels(channelz_pb2.GetTopChannelsRequest())
    assert top.end
    # C-core closes those of earlier calls a little later.
    channel = top.channel[-1]
    request = channelz_pb2.GetChannelRequest(channel_id=channel.ref.channel_id)
    assert stub.GetChannel(request).channel.ref == channel.ref
    found["channel"] = fields(channel)
    request = channelz_pb2.GetSubchannelRequest(
        subchannel_id=channel.subchannel_ref[0].subchannel_id
    )
    subchannel = stub.GetSubchannel(request).subchannel
    assert subchannel.data.HasField("state")
    found["subchannel"] = fields(subchannel)
    socket = socket_of(stub, subchannel.socket_ref[0], True)
    found["client socket"] = fields(socket)
    server = stub.GetServers(channelz_pb2.GetServersRequest()).server[0]
    request = channelz_pb2.GetServerRequest(server_id=server.ref.server_id)
    assert stub.GetServer(request).server.ref == server.ref
    found["server"] = fields(server)
    socket = socket_of(stub, server.listen_socket[0], is_strict)
    found["listener"] = fields(socket)
    request = channelz_pb2.GetServerSocketsRequest(
        server_id=server.ref.server_id
    )
    sockets = stub.GetServerSockets(request)
    assert sockets.end
    socket = socket_of(stub, sockets.socket_ref[0], True)
    found["server socket"] = fields(socket)
    try:
        request = channelz_pb2.GetSocketRequest(socket_id=2**62)
        stub.GetSocket(request)
    except grpc.RpcError as error:
        found["missing"] = error.code().name
    return {
        key: sorted(value) if isinstance(value, set) else value
        for key, value in found.items()
    }


address = sys.argv[1] if len(sys.argv) > 1 else None
server = None
if address is None:
    server = grpc.server(futures.ThreadPoolExecutor(2))
    channelz.add_channelz_servicer(server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
with grpc.insecure_channel(address) as channel:
    stub = channelz_pb2_grpc.ChannelzStub(channel)
    if server is not None:
        for _ in range(3):
            stub.GetServers(channelz_pb2.GetServersRequest())
    print(json.dumps(read(stub, server is None)))
if server is not None:
    server.stop(None)
