package main

// grpc-go of this version tells a handler nothing of compression, and compresses
// a response as its request was: the cases of compressed responses, and those
// that probe a request, are not for this server.

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "interop/testing"
)

const (
	initialKey  = "x-grpc-test-echo-initial"
	trailingKey = "x-grpc-test-echo-trailing-bin"
)

type interop struct {
	pb.UnimplementedTestServiceServer
}

func picked(ctx context.Context, key string) metadata.MD {
	given, _ := metadata.FromIncomingContext(ctx)
	return metadata.MD{key: given.Get(key)}
}

func echoStatus(wanted *pb.EchoStatus) error {
	if wanted.GetCode() == 0 {
		return nil
	}
	return status.Error(codes.Code(wanted.Code), wanted.Message)
}

func payload(size int32) *pb.Payload {
	return &pb.Payload{Body: make([]byte, size)}
}

func (interop) EmptyCall(ctx context.Context, _ *pb.Empty) (*pb.Empty, error) {
	return &pb.Empty{}, nil
}

func (interop) UnaryCall(ctx context.Context, request *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	grpc.SetHeader(ctx, picked(ctx, initialKey))
	grpc.SetTrailer(ctx, picked(ctx, trailingKey))
	if err := echoStatus(request.ResponseStatus); err != nil {
		return nil, err
	}
	response := &pb.SimpleResponse{Payload: payload(request.ResponseSize)}
	if request.FillServerId {
		response.ServerId = fmt.Sprintf("go-%d", os.Getpid())
	}
	return response, nil
}

func (interop) StreamingInputCall(stream pb.TestService_StreamingInputCallServer) error {
	total := 0
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			return stream.SendAndClose(&pb.StreamingInputCallResponse{AggregatedPayloadSize: int32(total)})
		}
		if err != nil {
			return err
		}
		total += len(request.Payload.Body)
	}
}

// What both kinds of stream can send.
type responses interface {
	Send(*pb.StreamingOutputCallResponse) error
}

func answer(request *pb.StreamingOutputCallRequest, stream responses) error {
	if err := echoStatus(request.ResponseStatus); err != nil {
		return err
	}
	for _, parameters := range request.ResponseParameters {
		time.Sleep(time.Duration(parameters.IntervalUs) * time.Microsecond)
		if err := stream.Send(&pb.StreamingOutputCallResponse{Payload: payload(parameters.Size)}); err != nil {
			return err
		}
	}
	return nil
}

func (interop) StreamingOutputCall(request *pb.StreamingOutputCallRequest, stream pb.TestService_StreamingOutputCallServer) error {
	return answer(request, stream)
}

func (interop) FullDuplexCall(stream pb.TestService_FullDuplexCallServer) error {
	stream.SetHeader(picked(stream.Context(), initialKey))
	stream.SetTrailer(picked(stream.Context(), trailingKey))
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := answer(request, stream); err != nil {
			return err
		}
	}
}

func serve(port int, tls bool, cert, key string) error {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	var options []grpc.ServerOption
	if tls {
		pair, err := credentials.NewServerTLSFromFile(cert, key)
		if err != nil {
			return err
		}
		options = append(options, grpc.Creds(pair))
	}
	server := grpc.NewServer(options...)
	pb.RegisterTestServiceServer(server, interop{})
	fmt.Println("listening on", listener.Addr())
	return server.Serve(listener)
}
