// The server of `deno task fleet`, with grpc-go:
//
//	fleet-server -port=10000 -wait_ms=2 -max_age_ms=500
//
// SIGTERM ends it gracefully.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/keepalive"
)

type service struct {
	grpc_testing.UnimplementedTestServiceServer
	wait time.Duration
}

func (s *service) UnaryCall(
	ctx context.Context,
	_ *grpc_testing.SimpleRequest,
) (*grpc_testing.SimpleResponse, error) {
	select {
	case <-time.After(s.wait):
	case <-ctx.Done():
	}
	return &grpc_testing.SimpleResponse{}, nil
}

func main() {
	port := flag.Int("port", 10000, "where to listen")
	waitMs := flag.Int("wait_ms", 2, "how long a call takes")
	maxAgeMs := flag.Int("max_age_ms", 0, "how old a connection becomes")
	flag.Parse()
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		log.Fatal(err)
	}
	maxAge := time.Duration(math.MaxInt64)
	if *maxAgeMs > 0 {
		maxAge = time.Duration(*maxAgeMs) * time.Millisecond
	}
	server := grpc.NewServer(grpc.KeepaliveParams(
		keepalive.ServerParameters{MaxConnectionAge: maxAge},
	))
	wait := time.Duration(*waitMs) * time.Millisecond
	grpc_testing.RegisterTestServiceServer(server, &service{wait: wait})
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	stopped := make(chan struct{})
	go func() {
		<-signals
		time.AfterFunc(5*time.Second, server.Stop)
		server.GracefulStop()
		close(stopped)
	}()
	fmt.Printf("Serving on 127.0.0.1:%d\n", *port)
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
	<-stopped
}
