// grpc-go as a contender: server and client of bench.proto, which is told what
// to do as peer.ts is. The messages are the wrappers that come with protobuf.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	w "google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	service    = "grpclib.bench.Bench"
	text       = "abcdefghijklmnopqrstuvwxyz0123"
	chatWindow = 64
	chunkBytes = 64 << 10
)

type command struct {
	Do          string  `json:"do"`
	Work        string  `json:"work"`
	Concurrency int     `json:"concurrency"`
	Ms          float64 `json:"ms"`
	Count       int     `json:"count"`
}

func payload(n int) []byte {
	bytes := make([]byte, n)
	seed := 1
	for i := range bytes {
		seed = seed * 48271 % 2147483647
		bytes[i] = byte(97 + seed%16)
	}
	return bytes
}

// The server

func unary[M any, P interface {
	*M
	proto.Message
}](_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	request := P(new(M))
	if err := decode(request); err != nil {
		return nil, err
	}
	return request, nil
}

func download(message proto.Message) grpc.StreamHandler {
	return func(_ any, stream grpc.ServerStream) error {
		request := new(w.Int32Value)
		if err := stream.RecvMsg(request); err != nil {
			return err
		}
		for i := int32(0); i < request.Value; i++ {
			if err := stream.SendMsg(message); err != nil {
				return err
			}
		}
		return nil
	}
}

func upload[M any, P interface {
	*M
	proto.Message
}](_ any, stream grpc.ServerStream) error {
	count := int32(0)
	for {
		err := stream.RecvMsg(P(new(M)))
		if err == io.EOF {
			return stream.SendMsg(w.Int32(count))
		}
		if err != nil {
			return err
		}
		count++
	}
}

func chat(_ any, stream grpc.ServerStream) error {
	for {
		request := new(w.StringValue)
		if err := stream.RecvMsg(request); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := stream.SendMsg(request); err != nil {
			return err
		}
	}
}

func serve() int {
	server := grpc.NewServer(grpc.MaxConcurrentStreams(20_000))
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: service,
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			{MethodName: "Unary", Handler: unary[w.StringValue]},
			{MethodName: "UnaryBytes", Handler: unary[w.BytesValue]},
		},
		Streams: []grpc.StreamDesc{
			{StreamName: "Download", Handler: download(w.String(text)), ServerStreams: true},
			{StreamName: "DownloadBytes", Handler: download(w.Bytes(payload(chunkBytes))), ServerStreams: true},
			{StreamName: "Upload", Handler: upload[w.StringValue], ClientStreams: true},
			{StreamName: "UploadBytes", Handler: upload[w.BytesValue], ClientStreams: true},
			{StreamName: "Chat", Handler: chat, ServerStreams: true, ClientStreams: true},
		},
	}, struct{}{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go server.Serve(listener)
	return listener.Addr().(*net.TCPAddr).Port
}

// The client

func dial(port string) (*grpc.ClientConn, error) {
	return grpc.NewClient("127.0.0.1:"+port, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

func callUnary(ctx context.Context, conn *grpc.ClientConn) error {
	reply := new(w.StringValue)
	if err := conn.Invoke(ctx, "/"+service+"/Unary", w.String(text), reply); err != nil {
		return err
	}
	if len(reply.Value) != len(text) {
		return fmt.Errorf("bad answer: %d bytes", len(reply.Value))
	}
	return nil
}

func callBytes(conn *grpc.ClientConn, request *w.BytesValue) func() error {
	return func() error {
		reply := new(w.BytesValue)
		if err := conn.Invoke(context.Background(), "/"+service+"/UnaryBytes", request, reply); err != nil {
			return err
		}
		if len(reply.Value) != len(request.Value) {
			return fmt.Errorf("bad answer: %d bytes", len(reply.Value))
		}
		return nil
	}
}

func calls(conn *grpc.ClientConn, port string) map[string]func() error {
	return map[string]func() error{
		"unary": func() error { return callUnary(context.Background(), conn) },
		"rich": func() error {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			return callUnary(metadata.AppendToOutgoingContext(ctx, "x-a", "1", "x-b", "two", "x-c", "three"), conn)
		},
		"bytes4k": callBytes(conn, w.Bytes(payload(4<<10))),
		"bytes1m": callBytes(conn, w.Bytes(payload(1<<20))),
		"connect": func() error {
			once, err := dial(port)
			if err != nil {
				return err
			}
			defer once.Close()
			return callUnary(context.Background(), once)
		},
	}
}

func openStream(conn *grpc.ClientConn, name string) (grpc.ClientStream, error) {
	desc := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	return conn.NewStream(context.Background(), desc, "/"+service+"/"+name)
}

func receiveAll[M any, P interface {
	*M
	proto.Message
}](stream grpc.ClientStream) (int, error) {
	got := 0
	for {
		err := stream.RecvMsg(P(new(M)))
		if err == io.EOF {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		got++
	}
}

func downloads[M any, P interface {
	*M
	proto.Message
}](conn *grpc.ClientConn, name string) func(int) (int, error) {
	return func(count int) (int, error) {
		stream, err := openStream(conn, name)
		if err != nil {
			return 0, err
		}
		if err := stream.SendMsg(w.Int32(int32(count))); err != nil {
			return 0, err
		}
		if err := stream.CloseSend(); err != nil {
			return 0, err
		}
		return receiveAll[M, P](stream)
	}
}

func uploads(conn *grpc.ClientConn, name string, message proto.Message) func(int) (int, error) {
	return func(count int) (int, error) {
		stream, err := openStream(conn, name)
		if err != nil {
			return 0, err
		}
		for i := 0; i < count; i++ {
			if err := stream.SendMsg(message); err != nil {
				return 0, err
			}
		}
		if err := stream.CloseSend(); err != nil {
			return 0, err
		}
		reply := new(w.Int32Value)
		if err := stream.RecvMsg(reply); err != nil {
			return 0, err
		}
		return int(reply.Value), nil
	}
}

func chats(conn *grpc.ClientConn) func(int) (int, error) {
	return func(count int) (int, error) {
		stream, err := openStream(conn, "Chat")
		if err != nil {
			return 0, err
		}
		message := w.String(text)
		window := make(chan struct{}, chatWindow)
		go func() {
			for i := 0; i < count; i++ {
				window <- struct{}{}
				if stream.SendMsg(message) != nil {
					return
				}
			}
			stream.CloseSend()
		}()
		for got := 0; ; got++ {
			if err := stream.RecvMsg(new(w.StringValue)); err == io.EOF {
				return got, nil
			} else if err != nil {
				return got, err
			}
			<-window
		}
	}
}

func streams(conn *grpc.ClientConn) map[string]func(int) (int, error) {
	return map[string]func(int) (int, error){
		"download":      downloads[w.StringValue](conn, "Download"),
		"downloadBytes": downloads[w.BytesValue](conn, "DownloadBytes"),
		"upload":        uploads(conn, "Upload", w.String(text)),
		"uploadBytes":   uploads(conn, "UploadBytes", w.Bytes(payload(chunkBytes))),
		"chat":          chats(conn),
	}
}

// The work

func cpuUs() float64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	us := func(t syscall.Timeval) float64 { return float64(t.Sec)*1e6 + float64(t.Usec) }
	return us(usage.Utime) + us(usage.Stime)
}

func rssBytes() int {
	var size, resident int
	text, _ := os.ReadFile("/proc/self/statm")
	fmt.Sscan(string(text), &size, &resident)
	return resident * os.Getpagesize()
}

func runCalls(call func() error, concurrency int, ms float64) (any, error) {
	var all sync.WaitGroup
	var failure atomic.Value
	latencies := make([][]float64, concurrency)
	cpu, start := cpuUs(), time.Now()
	end := start.Add(time.Duration(ms * 1e6))
	for i := range latencies {
		all.Add(1)
		go func() {
			defer all.Done()
			for before := time.Now(); before.Before(end); {
				if err := call(); err != nil {
					failure.Store(err)
					return
				}
				now := time.Now()
				latencies[i] = append(latencies[i], float64(now.Sub(before))/1e6)
				before = now
			}
		}()
	}
	all.Wait()
	elapsed, used := time.Since(start), cpuUs()-cpu
	if err := failure.Load(); err != nil {
		return nil, err.(error)
	}
	sorted := []float64{}
	for _, some := range latencies {
		sorted = append(sorted, some...)
	}
	sort.Float64s(sorted)
	at := func(p float64) float64 { return sorted[int(float64(len(sorted))*p)] }
	return map[string]any{
		"operations": len(sorted), "ms": float64(elapsed) / 1e6, "cpuUs": used,
		"p50": at(.5), "p99": at(.99),
	}, nil
}

func runStreams(stream func(int) (int, error), concurrency, count int) (any, error) {
	each := (count + concurrency - 1) / concurrency
	failures := make(chan error, concurrency)
	cpu, start := cpuUs(), time.Now()
	for i := 0; i < concurrency; i++ {
		go func() {
			got, err := stream(each)
			if err == nil && got != each {
				err = fmt.Errorf("stream of %d messages had %d", each, got)
			}
			failures <- err
		}()
	}
	for i := 0; i < concurrency; i++ {
		if err := <-failures; err != nil {
			return nil, err
		}
	}
	return map[string]any{
		"operations": each * concurrency, "ms": float64(time.Since(start)) / 1e6, "cpuUs": cpuUs() - cpu,
	}, nil
}

func main() {
	role, port := os.Args[1], ""
	var conn *grpc.ClientConn
	tell := func(answer any) {
		line, _ := json.Marshal(answer)
		fmt.Println(string(line))
	}
	if role == "server" {
		tell(map[string]any{"port": serve()})
	} else {
		port = os.Args[2]
		var err error
		if conn, err = dial(port); err != nil {
			log.Fatal(err)
		}
		tell(map[string]any{"port": 0})
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var todo command
		if err := json.NewDecoder(strings.NewReader(lines.Text())).Decode(&todo); err != nil {
			log.Fatal(err)
		}
		var answer any
		var err error
		concurrency := max(todo.Concurrency, 1)
		if todo.Do == "usage" {
			answer = map[string]any{"cpuUs": cpuUs(), "rssBytes": rssBytes(), "heapBytes": 0}
		} else if call := calls(conn, port)[todo.Work]; todo.Do == "call" && call != nil {
			answer, err = runCalls(call, concurrency, todo.Ms)
		} else if stream := streams(conn)[todo.Work]; todo.Do == "stream" && stream != nil {
			answer, err = runStreams(stream, concurrency, todo.Count)
		} else {
			answer = map[string]any{"unsupported": "not made for this scenario"}
		}
		if err != nil {
			answer = map[string]any{"error": err.Error()}
		}
		tell(answer)
	}
}
