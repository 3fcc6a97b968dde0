package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
)

// Writes messages, each at once, as grpc-go's own handler does over net/http.
type responses struct {
	http.ResponseWriter
}

func (r responses) send(message []byte) error {
	if _, err := r.Write(framed(message)); err != nil {
		return err
	}
	return http.NewResponseController(r.ResponseWriter).Flush()
}

func upload(to responses, requests io.Reader) error {
	sum := 0
	for {
		message, err := read(requests)
		if err == io.EOF {
			return to.send(number(nil, 1, uint64(sum)))
		}
		if err != nil {
			return err
		}
		size, err := body(message, 1)
		if err != nil {
			return err
		}
		sum += size
	}
}

func stream(to responses, requests io.Reader) error {
	for {
		message, err := read(requests)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		var sizes []uint64
		err = fields(message, func(field int, _ uint64, parameters []byte) {
			if field == 2 {
				fields(parameters, func(field int, value uint64, _ []byte) {
					if field == 1 {
						sizes = append(sizes, value)
					}
				})
			}
		})
		if err != nil {
			return err
		}
		for _, size := range sizes {
			if err := to.send(payload(nil, 1, int(size))); err != nil {
				return err
			}
		}
	}
}

func unary(to responses, requests io.Reader) error {
	message, err := read(requests)
	if err != nil {
		return err
	}
	size := 0
	err = fields(message, func(field int, value uint64, _ []byte) {
		if field == 2 {
			size = int(value)
		}
	})
	if err != nil {
		return err
	}
	return to.send(payload(nil, 1, size))
}

var methods = map[string]func(responses, io.Reader) error{
	"/grpc.testing.TestService/UnaryCall":           unary,
	"/grpc.testing.TestService/StreamingInputCall":  upload,
	"/grpc.testing.TestService/StreamingOutputCall": stream,
	"/grpc.testing.TestService/FullDuplexCall":      stream,
}

func answer(w http.ResponseWriter, request *http.Request) {
	w.Header().Set("content-type", "application/grpc")
	status, message := "0", ""
	if method, known := methods[request.URL.Path]; !known {
		status = "12"
	} else if err := method(responses{w}, request.Body); err != nil {
		// Of a call that its client cancelled, nobody gets to see it.
		status, message = "2", err.Error()
	}
	w.Header().Set(http.TrailerPrefix+"grpc-status", status)
	w.Header().Set(http.TrailerPrefix+"grpc-message", message)
}

func serve() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("listening on", listener.Addr())
	server := http.Server{Handler: http.HandlerFunc(answer), Protocols: protocols()}
	return server.Serve(listener)
}
