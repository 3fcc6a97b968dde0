// grpc-go as a load client of an interop server.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "interop/testing"
)

type client struct {
	*load
	stub pb.TestServiceClient
}

func main() {
	l := parse(os.Args[1:])
	channel, err := grpc.Dial(fmt.Sprintf("127.0.0.1:%d", l.port), grpc.WithInsecure())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	l.run((&client{l, pb.NewTestServiceClient(channel)}).call)
}

func (c *client) call(ctx context.Context, cancel bool) (carried, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if !cancel {
		stop = nil
	}
	switch c.work {
	case "download":
		request := &pb.StreamingOutputCallRequest{}
		for n := 0; n < c.messages; n++ {
			request.ResponseParameters = append(request.ResponseParameters, c.parameters())
		}
		stream, err := c.stub.StreamingOutputCall(ctx, request)
		if err != nil {
			return carried{}, err
		}
		return c.responses(ctx, stream, stop)
	case "bidi":
		stream, err := c.stub.FullDuplexCall(ctx)
		if err != nil {
			return carried{}, err
		}
		go c.requests(stream)
		return c.responses(ctx, stream, stop)
	case "upload":
		return c.upload(ctx, stop)
	case "unary":
		return c.unary(ctx)
	default:
		return carried{}, fmt.Errorf("there is no work %q", c.work)
	}
}

func (c *client) payload() *pb.Payload {
	return &pb.Payload{Body: make([]byte, c.size)}
}

func (c *client) parameters() *pb.ResponseParameters {
	return &pb.ResponseParameters{Size: int32(c.size)}
}

// Why a stream failed stands where its responses are read.
func (c *client) requests(stream pb.TestService_FullDuplexCallClient) {
	parameters := []*pb.ResponseParameters{c.parameters()}
	request := &pb.StreamingOutputCallRequest{ResponseParameters: parameters, Payload: c.payload()}
	for n := 0; n < c.messages; n++ {
		if stream.Send(request) != nil {
			return
		}
	}
	stream.CloseSend()
}

// What both kinds of stream can receive.
type receiver interface {
	Recv() (*pb.StreamingOutputCallResponse, error)
}

// Reads all responses. With `stop` the call is cancelled after the first, and has to
// end so.
func (c *client) responses(ctx context.Context, stream receiver, stop context.CancelFunc) (carried, error) {
	var came carried
	wait := c.waits(ctx)
	for {
		wait()
		response, err := stream.Recv()
		if err == io.EOF {
			return came, came.whole(c.load)
		}
		if err != nil {
			return came, err
		}
		if err := came.count(len(response.Payload.GetBody()), c.load); err != nil {
			return came, err
		}
		if stop != nil {
			stop()
			return came, cancelled(stream)
		}
	}
}

// Takes what had come before the call was cancelled, which may be all, and its end.
//
// grpc-go 1.33.3 forgets a stream that begins while it raises its windows:
// updateFlowControl knows those in activeStreams alone, where a stream comes later than
// it gets its limit. What a server then sends within the new window it takes for a
// breach of the old one, and cuts the call within a message.
func cancelled(stream receiver) error {
	for {
		_, err := stream.Recv()
		if err == io.EOF || status.Code(err) == codes.Canceled {
			return nil
		}
		if status.Convert(err).Message() == io.ErrUnexpectedEOF.Error() {
			return nil
		}
		if err != nil {
			return fmt.Errorf("a cancelled call ended with %w", err)
		}
	}
}

func (c *client) unary(ctx context.Context) (carried, error) {
	request := &pb.SimpleRequest{ResponseSize: int32(c.size), Payload: c.payload()}
	response, err := c.stub.UnaryCall(ctx, request)
	if err != nil {
		return carried{}, err
	}
	var came carried
	err = came.count(len(response.Payload.GetBody()), c.load)
	return came, err
}

func (c *client) upload(ctx context.Context, stop context.CancelFunc) (carried, error) {
	stream, err := c.stub.StreamingInputCall(ctx)
	if err != nil {
		return carried{}, err
	}
	request := &pb.StreamingInputCallRequest{Payload: c.payload()}
	for n := 0; n < c.messages; n++ {
		// CloseAndRecv tells why.
		if err := stream.Send(request); err != nil {
			break
		}
		if stop != nil {
			stop()
			_, err := stream.CloseAndRecv()
			if status.Code(err) != codes.Canceled {
				return carried{}, fmt.Errorf("a cancelled call ended with %v", err)
			}
			return carried{messages: 1, bytes: c.size}, nil
		}
	}
	response, err := stream.CloseAndRecv()
	if err != nil {
		return carried{}, err
	}
	if response == nil {
		return carried{}, errors.New("no response came")
	}
	return uploaded(c.load, int(response.AggregatedPayloadSize))
}
