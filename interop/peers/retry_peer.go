// grpc-go as a peer that tries calls again, or has them tried again:
//
//	retry-peer server
//	retry-peer client <port>
//
// What both do is said in _testdata/retry_peer.mjs.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

const unary = "/grpclib.test.Echo/Unary"

func first(md metadata.MD, key string) string {
	return strings.Join(md.Get(key), ",")
}

// handle answers every method: there is but one.
func handle(_ any, stream grpc.ServerStream) error {
	if err := stream.RecvMsg(&emptypb.Empty{}); err != nil {
		return err
	}
	md, _ := metadata.FromIncomingContext(stream.Context())
	previous, _ := strconv.Atoi(first(md, "grpc-previous-rpc-attempts"))
	fail, _ := strconv.Atoi(first(md, "x-fail"))
	stream.SetTrailer(metadata.Pairs("x-previous", strconv.Itoa(previous)))
	if previous >= fail {
		return stream.SendMsg(&emptypb.Empty{})
	}
	if pushback := first(md, "x-pushback"); pushback != "" {
		stream.SetTrailer(metadata.Pairs("grpc-retry-pushback-ms", pushback))
	}
	return status.Error(codes.Unavailable, "Not yet")
}

func serve() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(grpc.UnknownServiceHandler(handle))
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		server.Stop()
	}()
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
}

func call(port, serviceConfig string) {
	channel, err := grpc.NewClient(
		"passthrough:///127.0.0.1:"+port,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(serviceConfig),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer channel.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err = channel.Invoke(ctx, unary, &emptypb.Empty{}, &emptypb.Empty{})
	// As the others write it: OK, UNAVAILABLE.
	fmt.Println(strings.ToUpper(status.Code(err).String()))
}

func main() {
	if os.Args[1] == "server" {
		serve()
		return
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		call(os.Args[2], lines.Text())
	}
}
