package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

type client struct {
	*load
	http http.Client
}

func newClient(l *load) *client {
	return &client{load: l, http: http.Client{Transport: &http.Transport{Protocols: protocols()}}}
}

// Makes one call alone: as long as there is no connection, each call makes one.
func (c *client) connect() error {
	response, err := c.begin(context.Background(), "UnaryCall", nil, 1, func() {})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

func (c *client) call(ctx context.Context, cancel bool) (carried, error) {
	parameters := number(nil, 1, uint64(c.size))
	switch c.work {
	case "download":
		var request []byte
		for n := 0; n < c.messages; n++ {
			request = bytes(request, 2, parameters)
		}
		return c.responses(ctx, "StreamingOutputCall", request, 1, cancel)
	case "bidi":
		request := payload(bytes(nil, 2, parameters), 3, c.size)
		return c.responses(ctx, "FullDuplexCall", request, c.messages, cancel)
	case "unary":
		request := payload(number(nil, 2, uint64(c.size)), 3, c.size)
		return c.responses(ctx, "UnaryCall", request, 1, cancel)
	case "upload":
		return c.upload(ctx, payload(nil, 1, c.size), cancel)
	default:
		return carried{}, fmt.Errorf("there is no work %q", c.work)
	}
}

// Begins a call that sends `count` times the same, then waits for the response's
// head. Each message is written by itself, and so has a DATA frame of its own.
func (c *client) begin(ctx context.Context, method string, message []byte, count int, sent func()) (*http.Response, error) {
	requests, writer := io.Pipe()
	go func() {
		frame := framed(message)
		for n := 0; n < count; n++ {
			if _, err := writer.Write(frame); err != nil {
				return
			}
			sent()
		}
		writer.Close()
	}()
	url := fmt.Sprintf("http://127.0.0.1:%d/grpc.testing.TestService/%s", c.port, method)
	request, err := http.NewRequestWithContext(ctx, "POST", url, requests)
	if err != nil {
		return nil, err
	}
	request.Header.Set("content-type", "application/grpc")
	request.Header.Set("te", "trailers")
	return c.http.Do(request)
}

func (c *client) responses(ctx context.Context, method string, request []byte, count int, cancel bool) (carried, error) {
	var came carried
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	response, err := c.begin(ctx, method, request, count, func() {})
	if err != nil {
		return came, err
	}
	defer response.Body.Close()
	wait := c.waits(ctx)
	for {
		wait()
		message, err := read(response.Body)
		if err == io.EOF {
			break
		}
		if err != nil {
			return came, err
		}
		size, err := body(message, 1)
		if err != nil {
			return came, err
		}
		if err := came.count(size, c.load); err != nil || cancel {
			return came, err
		}
	}
	if err := ok(response); err != nil {
		return came, err
	}
	return came, came.whole(c.load)
}

func (c *client) upload(ctx context.Context, request []byte, cancel bool) (carried, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	sent := func() {}
	if cancel {
		sent = stop
	}
	response, err := c.begin(ctx, "StreamingInputCall", request, c.messages, sent)
	if cancel && errors.Is(err, context.Canceled) {
		return carried{messages: 1, bytes: c.size}, nil
	}
	if err != nil {
		return carried{}, err
	}
	defer response.Body.Close()
	message, err := read(response.Body)
	if err != nil {
		return carried{}, err
	}
	if _, err := read(response.Body); err != io.EOF {
		return carried{}, fmt.Errorf("what follows the response is %v", err)
	}
	if err := ok(response); err != nil {
		return carried{}, err
	}
	sum := 0
	if err := fields(message, func(_ int, value uint64, _ []byte) { sum = int(value) }); err != nil {
		return carried{}, err
	}
	return uploaded(c.load, sum)
}

// The call's status, which stands in the head of a response without messages.
func ok(response *http.Response) error {
	for _, head := range []http.Header{response.Trailer, response.Header} {
		if status := head.Get("grpc-status"); status != "" {
			if status != "0" {
				return fmt.Errorf("grpc-status %s: %s", status, head.Get("grpc-message"))
			}
			return nil
		}
	}
	return fmt.Errorf("HTTP %s without grpc-status", response.Status)
}
