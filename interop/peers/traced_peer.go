// grpc-go with OpenTelemetry's instrumentation, for the service of echo.proto:
//
//	traced-peer server
//	traced-peer client <port>
//
// What both do is said in _testdata/traced_peer.py.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"
)

const (
	unary  = "/grpclib.test.Echo/Unary"
	stream = "/grpclib.test.Echo/ServerStream"
)

// handle answers with what came, once or twice.
func handle(_ any, stream grpc.ServerStream) error {
	message := &emptypb.Empty{}
	if err := stream.RecvMsg(message); err != nil {
		return err
	}
	method, _ := grpc.MethodFromServerStream(stream)
	if !strings.HasSuffix(method, "/Unary") {
		if err := stream.SendMsg(message); err != nil {
			return err
		}
	}
	return stream.SendMsg(message)
}

func serve(until func()) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(
		grpc.UnknownServiceHandler(handle),
		grpc.StatsHandler(otelgrpc.NewServerHandler()),
	)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		until()
		server.GracefulStop()
	}()
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
}

func call(port string) {
	connection, err := grpc.NewClient(
		"127.0.0.1:"+port,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithStatsHandler(otelgrpc.NewClientHandler()),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ctx, span := otel.Tracer("app").Start(ctx, "app")
	defer span.End()
	message := &emptypb.Empty{}
	if err := connection.Invoke(ctx, unary, message, message); err != nil {
		log.Fatal(err)
	}
	replies, err := connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, stream)
	if err != nil {
		log.Fatal(err)
	}
	if err := replies.SendMsg(message); err != nil {
		log.Fatal(err)
	}
	if err := replies.CloseSend(); err != nil {
		log.Fatal(err)
	}
	for {
		err := replies.RecvMsg(message)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			log.Fatal(err)
		}
	}
}

func main() {
	exporter := tracetest.NewInMemoryExporter()
	otel.SetTracerProvider(trace.NewTracerProvider(trace.WithSyncer(exporter)))
	otel.SetTextMapPropagator(propagation.TraceContext{})
	lines := bufio.NewScanner(os.Stdin)
	if os.Args[1] == "server" {
		serve(func() { lines.Scan() })
	} else {
		call(os.Args[2])
		fmt.Println("done")
		lines.Scan()
	}
	for _, span := range exporter.GetSpans() {
		parent := ""
		if span.Parent.IsValid() {
			parent = span.Parent.SpanID().String()
		}
		line, err := json.Marshal(map[string]string{
			"name":         span.Name,
			"kind":         strings.ToUpper(span.SpanKind.String()),
			"traceId":      span.SpanContext.TraceID().String(),
			"spanId":       span.SpanContext.SpanID().String(),
			"parentSpanId": parent,
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(line))
	}
}
