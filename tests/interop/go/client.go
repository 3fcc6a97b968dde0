package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "interop/testing"
)

const (
	// Long enough for anything that is not stuck.
	bound         = 30 * time.Second
	concurrent    = 1000
	initialValue  = "test_initial_metadata_value"
	trailingValue = "\xab\xab\xab"
)

var (
	requestSizes  = []int32{27182, 8, 1828, 45904}
	responseSizes = []int32{31415, 9, 2653, 58979}
)

type client struct {
	address, name, ca string
	tls               bool
	iterations        int
}

var cases = map[string]func(context.Context, *client) error{
	"empty_unary":                 emptyUnary,
	"large_unary":                 largeUnary,
	"concurrent_large_unary":      concurrentLargeUnary,
	"pick_first_unary":            pickFirstUnary,
	"client_streaming":            clientStreaming,
	"server_streaming":            serverStreaming,
	"ping_pong":                   pingPong,
	"empty_stream":                emptyStream,
	"custom_metadata":             customMetadata,
	"status_code_and_message":     statusCodeAndMessage,
	"special_status_message":      specialStatusMessage,
	"unimplemented_method":        unimplementedMethod,
	"unimplemented_service":       unimplementedService,
	"cancel_after_begin":          cancelAfterBegin,
	"cancel_after_first_response": cancelAfterFirstResponse,
	"timeout_on_sleeping_server":  timeoutOnSleepingServer,
	"rpc_soak":                    rpcSoak,
	"channel_soak":                channelSoak,
	"client_compressed_unary":     clientCompressedUnary,
	"server_compressed_unary":     serverCompressedUnary,
	"server_compressed_streaming": serverCompressedStreaming,
}

func call(name string, c *client) error {
	run, ok := cases[name]
	if !ok {
		return fmt.Errorf("there is no case %q", name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	return run(ctx, c)
}

// A channel that shares no connection with another.
func (c *client) channel() (*grpc.ClientConn, error) {
	option := grpc.WithInsecure()
	if c.tls {
		trust, err := credentials.NewClientTLSFromFile(c.ca, c.name)
		if err != nil {
			return nil, err
		}
		option = grpc.WithTransportCredentials(trust)
	}
	options := []grpc.DialOption{option}
	if c.name != "" && !c.tls {
		options = append(options, grpc.WithAuthority(c.name))
	}
	return grpc.Dial(c.address, options...)
}

func (c *client) stub() (pb.TestServiceClient, error) {
	channel, err := c.channel()
	return pb.NewTestServiceClient(channel), err
}

func equal(what string, found, expected interface{}) error {
	if found != expected {
		return fmt.Errorf("%s is %v, not %v", what, found, expected)
	}
	return nil
}

func failed(err error, code codes.Code) error {
	return equal(fmt.Sprintf("the code of '%v'", err), status.Code(err), code)
}

func large() *pb.SimpleRequest {
	return &pb.SimpleRequest{ResponseSize: 314159, Payload: payload(271828)}
}

func checkLarge(response *pb.SimpleResponse, err error) error {
	if err != nil {
		return err
	}
	zeros := bytes.Equal(response.Payload.Body, make([]byte, 314159))
	return equal("whether the body is zeros", zeros, true)
}

func sized(request, response, interval int32) *pb.StreamingOutputCallRequest {
	parameters := []*pb.ResponseParameters{{Size: response, IntervalUs: interval}}
	return &pb.StreamingOutputCallRequest{ResponseParameters: parameters, Payload: payload(request)}
}

func checkSize(response *pb.StreamingOutputCallResponse, err error, size int32) error {
	if err != nil {
		return err
	}
	return equal("the size", len(response.Payload.Body), int(size))
}

func emptyUnary(ctx context.Context, c *client) error {
	stub, err := c.stub()
	if err != nil {
		return err
	}
	_, err = stub.EmptyCall(ctx, &pb.Empty{})
	return err
}

func largeUnary(ctx context.Context, c *client) error {
	stub, err := c.stub()
	if err != nil {
		return err
	}
	return checkLarge(stub.UnaryCall(ctx, large()))
}

func concurrentLargeUnary(ctx context.Context, c *client) error {
	stub, err := c.stub()
	if err != nil {
		return err
	}
	ends := make(chan error)
	for n := 0; n < concurrent; n++ {
		go func() { ends <- checkLarge(stub.UnaryCall(ctx, large())) }()
	}
	for n := 0; n < concurrent; n++ {
		if end := <-ends; end != nil {
			err = end
		}
	}
	return err
}

func pickFirstUnary(ctx context.Context, c *client) error {
	stub, err := c.stub()
	if err != nil {
		return err
	}
	servers := map[string]bool{}
	for n := 0; n < 100; n++ {
		response, err := stub.UnaryCall(ctx, &pb.SimpleRequest{FillServerId: true})
		if err != nil {
			return err
		}
		servers[response.ServerId] = true
	}
	if servers[""] {
		return fmt.Errorf("the server has no id")
	}
	return equal("the number of servers", len(servers), 1)
}

func clientStreaming(ctx context.Context, c *client) error {
	stub, err := c.stub()
	if err != nil {
		return err
	}
	stream, err := stub.StreamingInputCall(ctx)
	if err != nil {
		return err
	}
	for _, size := range requestSizes {
		if err := stream.Send(&pb.StreamingInputCallRequest{Payload: payload(size)}); err != nil {
			return err
		}
	}
	response, err := stream.CloseAndRecv()
	if err != nil {
		return err
	}
	return equal("the sum of the requests", response.AggregatedPayloadSize, int32(74922))
}

// What both kinds of stream can receive.
type receiver interface {
	Recv() (*pb.StreamingOutputCallResponse, error)
}

func ended(stream receiver) error {
	_, err := stream.Recv()
	return equal("what follows the last response", err, io.EOF)
}

func serverStreaming(ctx context.Context, c *client) error {
	stub, err := c.stub()
	if err != nil {
		return err
	}
	request := &pb.StreamingOutputCallRequest{}
	for _, size := range responseSizes {
		request.ResponseParameters = append(request.ResponseParameters, &pb.ResponseParameters{Size: size})
	}
	stream, err := stub.StreamingOutputCall(ctx, request)
	if err != nil {
		return err
	}
	for _, size := range responseSizes {
		response, err := stream.Recv()
		if err := checkSize(response, err, size); err != nil {
			return err
		}
	}
	return ended(stream)
}

func fullDuplex(ctx context.Context, c *client) (pb.TestService_FullDuplexCallClient, error) {
	stub, err := c.stub()
	if err != nil {
		return nil, err
	}
	return stub.FullDuplexCall(ctx)
}

func pingPong(ctx context.Context, c *client) error {
	stream, err := fullDuplex(ctx, c)
	if err != nil {
		return err
	}
	for n, size := range requestSizes {
		if err := stream.Send(sized(size, responseSizes[n], 0)); err != nil {
			return err
		}
		response, err := stream.Recv()
		if err := checkSize(response, err, responseSizes[n]); err != nil {
			return err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	return ended(stream)
}

func emptyStream(ctx context.Context, c *client) error {
	stream, err := fullDuplex(ctx, c)
	if err != nil {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	return ended(stream)
}

func checkEcho(initial, trailing metadata.MD) error {
	if err := equal(initialKey, fmt.Sprint(initial.Get(initialKey)), fmt.Sprint([]string{initialValue})); err != nil {
		return err
	}
	return equal(trailingKey, fmt.Sprint(trailing.Get(trailingKey)), fmt.Sprint([]string{trailingValue}))
}

func customMetadata(ctx context.Context, c *client) error {
	ctx = metadata.AppendToOutgoingContext(ctx, initialKey, initialValue, trailingKey, trailingValue)
	stub, err := c.stub()
	if err != nil {
		return err
	}
	var initial, trailing metadata.MD
	if err := checkLarge(stub.UnaryCall(ctx, large(), grpc.Header(&initial), grpc.Trailer(&trailing))); err != nil {
		return err
	}
	if err := checkEcho(initial, trailing); err != nil {
		return err
	}
	stream, err := stub.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(sized(271828, 314159, 0)); err != nil {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	response, err := stream.Recv()
	if err := checkSize(response, err, 314159); err != nil {
		return err
	}
	if err := ended(stream); err != nil {
		return err
	}
	initial, err = stream.Header()
	if err != nil {
		return err
	}
	return checkEcho(initial, stream.Trailer())
}

func checkStatus(err error, message string) error {
	if err := failed(err, codes.Unknown); err != nil {
		return err
	}
	return equal("the message", status.Convert(err).Message(), message)
}

func unaryStatus(ctx context.Context, c *client, message string) error {
	stub, err := c.stub()
	if err != nil {
		return err
	}
	_, err = stub.UnaryCall(ctx, &pb.SimpleRequest{ResponseStatus: &pb.EchoStatus{Code: 2, Message: message}})
	return checkStatus(err, message)
}

func statusCodeAndMessage(ctx context.Context, c *client) error {
	message := "test status message"
	if err := unaryStatus(ctx, c, message); err != nil {
		return err
	}
	stream, err := fullDuplex(ctx, c)
	if err != nil {
		return err
	}
	request := &pb.StreamingOutputCallRequest{ResponseStatus: &pb.EchoStatus{Code: 2, Message: message}}
	if err := stream.Send(request); err != nil {
		return err
	}
	_, err = stream.Recv()
	return checkStatus(err, message)
}

func specialStatusMessage(ctx context.Context, c *client) error {
	return unaryStatus(ctx, c, "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n")
}

func unimplementedMethod(ctx context.Context, c *client) error {
	stub, err := c.stub()
	if err != nil {
		return err
	}
	_, err = stub.UnimplementedCall(ctx, &pb.Empty{})
	return failed(err, codes.Unimplemented)
}

func unimplementedService(ctx context.Context, c *client) error {
	channel, err := c.channel()
	if err != nil {
		return err
	}
	_, err = pb.NewUnimplementedServiceClient(channel).UnimplementedCall(ctx, &pb.Empty{})
	return failed(err, codes.Unimplemented)
}

func cancelAfterBegin(ctx context.Context, c *client) error {
	ctx, cancel := context.WithCancel(ctx)
	stub, err := c.stub()
	if err != nil {
		return err
	}
	stream, err := stub.StreamingInputCall(ctx)
	if err != nil {
		return err
	}
	cancel()
	_, err = stream.CloseAndRecv()
	return failed(err, codes.Canceled)
}

func cancelAfterFirstResponse(ctx context.Context, c *client) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := fullDuplex(ctx, c)
	if err != nil {
		return err
	}
	if err := stream.Send(sized(27182, 31415, 0)); err != nil {
		return err
	}
	response, err := stream.Recv()
	if err := checkSize(response, err, 31415); err != nil {
		return err
	}
	cancel()
	_, err = stream.Recv()
	return failed(err, codes.Canceled)
}

func timeoutOnSleepingServer(ctx context.Context, c *client) error {
	// The time is for the call, not for the connection.
	stub, err := c.stub()
	if err != nil {
		return err
	}
	if _, err := stub.EmptyCall(ctx, &pb.Empty{}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	stream, err := stub.FullDuplexCall(ctx)
	if err != nil {
		return failed(err, codes.DeadlineExceeded)
	}
	// Sending fails with the end of the stream when the time is up.
	_ = stream.Send(sized(27182, 31415, 10_000_000))
	_, err = stream.Recv()
	return failed(err, codes.DeadlineExceeded)
}

func rpcSoak(ctx context.Context, c *client) error {
	stub, err := c.stub()
	for n := 0; err == nil && n < c.iterations; n++ {
		err = checkLarge(stub.UnaryCall(ctx, large()))
	}
	return err
}

func channelSoak(ctx context.Context, c *client) error {
	for n := 0; n < c.iterations; n++ {
		if err := largeUnary(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func clientCompressedUnary(ctx context.Context, c *client) error {
	stub, err := c.stub()
	if err != nil {
		return err
	}
	request := func(expected bool) *pb.SimpleRequest {
		request := large()
		request.ExpectCompressed = &pb.BoolValue{Value: expected}
		return request
	}
	_, err = stub.UnaryCall(ctx, request(true))
	if err := failed(err, codes.InvalidArgument); err != nil {
		return err
	}
	if err := checkLarge(stub.UnaryCall(ctx, request(true), grpc.UseCompressor(gzip.Name))); err != nil {
		return err
	}
	return checkLarge(stub.UnaryCall(ctx, request(false)))
}

// grpc-go does not tell how a message came, only what it is.
func serverCompressedUnary(ctx context.Context, c *client) error {
	stub, err := c.stub()
	if err != nil {
		return err
	}
	for _, compressed := range []bool{true, false} {
		request := large()
		request.ResponseCompressed = &pb.BoolValue{Value: compressed}
		if err := checkLarge(stub.UnaryCall(ctx, request)); err != nil {
			return err
		}
	}
	return nil
}

func serverCompressedStreaming(ctx context.Context, c *client) error {
	stub, err := c.stub()
	if err != nil {
		return err
	}
	stream, err := stub.StreamingOutputCall(ctx, &pb.StreamingOutputCallRequest{
		ResponseParameters: []*pb.ResponseParameters{
			{Size: 31415, Compressed: &pb.BoolValue{Value: true}},
			{Size: 92653, Compressed: &pb.BoolValue{Value: false}},
		},
	})
	if err != nil {
		return err
	}
	for _, size := range []int32{31415, 92653} {
		response, err := stream.Recv()
		if err := checkSize(response, err, size); err != nil {
			return err
		}
	}
	return ended(stream)
}
