// Reads channelz the way grpcdebug does, and fails where grpcdebug would end
// itself: at an address that is none of TCP/IP, or absent.
//
// The argument is the address of a server with the service. Writes a line for
// each channel, subchannel, socket and server.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	zpb "google.golang.org/grpc/channelz/grpc_channelz_v1"
	"google.golang.org/grpc/credentials/insecure"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func address(a *zpb.Address) string {
	ip := a.GetTcpipAddress()
	if ip == nil {
		log.Fatalf("address type not supported: %v", a)
	}
	if n := len(ip.IpAddress); n != net.IPv4len && n != net.IPv6len {
		log.Fatalf("no IP address: %v", ip)
	}
	return (&net.TCPAddr{IP: ip.IpAddress, Port: int(ip.Port)}).String()
}

func printSocket(ctx context.Context, z zpb.ChannelzClient, id int64) {
	reply, err := z.GetSocket(ctx, &zpb.GetSocketRequest{SocketId: id})
	check(err)
	s := reply.Socket
	fmt.Printf("socket %s->%s %d/%d/%d %d/%d\n",
		address(s.Local), address(s.Remote),
		s.Data.StreamsStarted, s.Data.StreamsSucceeded, s.Data.StreamsFailed,
		s.Data.MessagesSent, s.Data.MessagesReceived)
	if security := s.GetSecurity(); security != nil {
		if security.GetTls().GetCipherSuite() == nil {
			log.Fatalf("unexpected cipher suite: %v", security)
		}
		fmt.Printf("tls %s\n", security.GetTls().GetStandardName())
	}
}

func printData(what string, d *zpb.ChannelData) {
	fmt.Printf("%s %s %v %d/%d/%d\n", what, d.Target, d.State.State,
		d.CallsStarted, d.CallsSucceeded, d.CallsFailed)
	for _, event := range d.Trace.Events {
		check(event.Timestamp.CheckValid())
		fmt.Printf("event %v %s\n", event.Severity, event.Description)
	}
}

func main() {
	conn, err := grpc.NewClient(os.Args[1],
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err)
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	z := zpb.NewChannelzClient(conn)

	channels, err := z.GetTopChannels(ctx, &zpb.GetTopChannelsRequest{})
	check(err)
	for _, channel := range channels.Channel {
		printData("channel", channel.Data)
		for _, ref := range channel.SubchannelRef {
			reply, err := z.GetSubchannel(ctx,
				&zpb.GetSubchannelRequest{SubchannelId: ref.SubchannelId})
			check(err)
			printData("subchannel", reply.Subchannel.Data)
			for _, socket := range reply.Subchannel.SocketRef {
				printSocket(ctx, z, socket.SocketId)
			}
		}
	}
	servers, err := z.GetServers(ctx, &zpb.GetServersRequest{})
	check(err)
	for _, server := range servers.Server {
		fmt.Printf("server %d/%d/%d\n", server.Data.CallsStarted,
			server.Data.CallsSucceeded, server.Data.CallsFailed)
		for _, ref := range server.ListenSocket {
			printSocket(ctx, z, ref.SocketId)
		}
		sockets, err := z.GetServerSockets(ctx,
			&zpb.GetServerSocketsRequest{ServerId: server.Ref.ServerId})
		check(err)
		for _, ref := range sockets.SocketRef {
			printSocket(ctx, z, ref.SocketId)
		}
	}
}
