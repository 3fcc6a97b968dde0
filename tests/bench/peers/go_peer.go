// grpc-go, as a measured server and client, with its defaults.
//
// Takes the words that every peer takes (src/peer/programs.rs).
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	pb "measured/bench"

	"google.golang.org/grpc"
)

const (
	name = "World"
	text = "Hello, World!"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(holds bool, what string) {
	if !holds {
		must(fmt.Errorf("%s", what))
	}
}

func request() *pb.Request {
	return &pb.Request{Name: name}
}

func reply(request *pb.Request) *pb.Reply {
	return &pb.Reply{Text: "Hello, " + request.Name + "!"}
}

// The server

type servicer struct {
	pb.UnimplementedBenchServer
}

func (servicer) Hello(_ context.Context, request *pb.Request) (*pb.Reply, error) {
	return reply(request), nil
}

func (servicer) Echo(_ context.Context, request *pb.Payload) (*pb.Payload, error) {
	return request, nil
}

func (servicer) Pull(count *pb.Count, stream pb.Bench_PullServer) error {
	for i := uint64(0); i < count.Value; i++ {
		if err := stream.Send(reply(request())); err != nil {
			return err
		}
	}
	return nil
}

func (servicer) Push(stream pb.Bench_PushServer) error {
	var value uint64
	for {
		_, err := stream.Recv()
		if err == io.EOF {
			return stream.SendAndClose(&pb.Count{Value: value})
		}
		if err != nil {
			return err
		}
		value++
	}
}

func (servicer) Chat(stream pb.Bench_ChatServer) error {
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(reply(request)); err != nil {
			return err
		}
	}
}

func serve() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	server := grpc.NewServer()
	pb.RegisterBenchServer(server, servicer{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Println(listener.Addr())
	must(server.Serve(listener))
}

// The client

type load struct {
	task        string
	connections int
	inFlight    int
	count       int
	timed       bool
}

func loadOf(words []string) load {
	number := func(word string) int {
		value, err := strconv.Atoi(word)
		must(err)
		return value
	}
	return load{words[0], number(words[1]), number(words[2]), number(words[3]), words[4] == "1"}
}

func (l load) share(count int) int {
	width := l.connections * l.inFlight
	if share := (count + width - 1) / width; share > 1 {
		return share
	}
	return 1
}

func dial(address string) *grpc.ClientConn {
	connection, err := grpc.Dial(address, grpc.WithInsecure())
	must(err)
	return connection
}

func greet(client pb.BenchClient) {
	answer, err := client.Hello(context.Background(), request())
	must(err)
	check(answer.Text == text, "a wrong reply")
}

func drain(stream pb.Bench_ChatClient, count int) {
	came := 0
	for {
		_, err := stream.Recv()
		if err == io.EOF {
			break
		}
		must(err)
		came++
	}
	check(came == count, "a wrong count")
}

// work does one call's share, and gives the time of each where they are wanted.
func work(client pb.BenchClient, address string, l load, share int) []int64 {
	ctx := context.Background()
	var times []int64
	each := func(once func()) {
		for i := 0; i < share; i++ {
			if !l.timed {
				once()
				continue
			}
			start := time.Now()
			once()
			times = append(times, time.Since(start).Nanoseconds())
		}
	}
	switch {
	case l.task == "hello":
		each(func() { greet(client) })
	case strings.HasPrefix(l.task, "echo-"):
		size, err := strconv.Atoi(strings.TrimPrefix(l.task, "echo-"))
		must(err)
		each(func() {
			data := make([]byte, size)
			for i := range data {
				data[i] = 'b'
			}
			answer, err := client.Echo(ctx, &pb.Payload{Data: data})
			must(err)
			check(len(answer.Data) == size, "a wrong size")
		})
	case l.task == "connect":
		each(func() {
			connection := dial(address)
			greet(pb.NewBenchClient(connection))
			connection.Close()
		})
	case l.task == "pull":
		stream, err := client.Pull(ctx, &pb.Count{Value: uint64(share)})
		must(err)
		came := 0
		for {
			_, err := stream.Recv()
			if err == io.EOF {
				break
			}
			must(err)
			came++
		}
		check(came == share, "a wrong count")
	case l.task == "push":
		stream, err := client.Push(ctx)
		must(err)
		for i := 0; i < share; i++ {
			must(stream.Send(request()))
		}
		answer, err := stream.CloseAndRecv()
		must(err)
		check(int(answer.Value) == share, "a wrong count")
	case l.task == "chat":
		stream, err := client.Chat(ctx)
		must(err)
		go func() {
			for i := 0; i < share; i++ {
				must(stream.Send(request()))
			}
			must(stream.CloseSend())
		}()
		drain(stream, share)
	case l.task == "ping-pong":
		stream, err := client.Chat(ctx)
		must(err)
		each(func() {
			must(stream.Send(request()))
			answer, err := stream.Recv()
			must(err)
			check(answer.Text == text, "a wrong reply")
		})
		must(stream.CloseSend())
		drain(stream, 0)
	default:
		check(false, "no task is called "+l.task)
	}
	return times
}

func run(connections []*grpc.ClientConn, address string, l load, count int) map[string]int64 {
	share := l.share(count)
	var times []int64
	var lock sync.Mutex
	var all sync.WaitGroup
	start := time.Now()
	for _, connection := range connections {
		client := pb.NewBenchClient(connection)
		for i := 0; i < l.inFlight; i++ {
			all.Add(1)
			go func() {
				own := work(client, address, l, share)
				lock.Lock()
				times = append(times, own...)
				lock.Unlock()
				all.Done()
			}()
		}
	}
	all.Wait()
	outcome := map[string]int64{"wall_ns": time.Since(start).Nanoseconds()}
	sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
	if last := len(times) - 1; last >= 0 {
		for name, part := range map[string]float64{"p50_ns": 0.5, "p99_ns": 0.99, "p999_ns": 0.999} {
			outcome[name] = times[int(float64(last)*part+0.5)]
		}
	}
	return outcome
}

func drive(address string, l load) {
	var connections []*grpc.ClientConn
	for i := 0; i < l.connections; i++ {
		connection := dial(address)
		greet(pb.NewBenchClient(connection))
		connections = append(connections, connection)
	}
	run(connections, address, l, l.count/10)
	fmt.Println("ready")
	input := bufio.NewReader(os.Stdin)
	input.ReadString('\n')
	outcome, err := json.Marshal(run(connections, address, l, l.count))
	must(err)
	fmt.Println(string(outcome))
	io.Copy(io.Discard, input)
}

func main() {
	words := os.Args[1:]
	switch {
	case len(words) > 0 && words[0] == "serve":
		serve()
	case len(words) > 8 && words[0] == "drive":
		drive(words[3], loadOf(words[4:]))
	default:
		check(false, "not understood: "+strings.Join(words, " "))
	}
}
