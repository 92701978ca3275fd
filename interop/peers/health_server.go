// A server of grpc-go whose health is told by the package of grpc-go for that:
//
//	health-server <name> [--without-health]
//
// What it does is said in _testdata/health_server.py.
package main

import (
	"bufio"
	"fmt"
	"log"
	"net"
	"os"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	health_pb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

const service = "grpclib.test.Echo"

func main() {
	name := os.Args[1]
	// What is not registered is called here.
	echo := func(_ any, stream grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(stream)
		if method != "/"+service+"/Unary" {
			return status.Errorf(codes.Unimplemented, "there is no %s", method)
		}
		if err := stream.RecvMsg(&emptypb.Empty{}); err != nil {
			return err
		}
		stream.SetTrailer(metadata.Pairs("x-server", name))
		return stream.SendMsg(&emptypb.Empty{})
	}
	server := grpc.NewServer(grpc.UnknownServiceHandler(echo))
	health := health.NewServer()
	if !slices.Contains(os.Args[2:], "--without-health") {
		health_pb.RegisterHealthServer(server, health)
	}
	health.SetServingStatus(service, health_pb.HealthCheckResponse_SERVING)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			value := health_pb.HealthCheckResponse_ServingStatus_value[lines.Text()]
			health.SetServingStatus(service, health_pb.HealthCheckResponse_ServingStatus(value))
			fmt.Println(lines.Text())
		}
		server.Stop()
	}()
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
}
