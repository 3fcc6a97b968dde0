package main

// The few fields of grpc.testing's messages that load needs, by hand, and gRPC's
// prefix before each message.

import (
	"encoding/binary"
	"errors"
	"io"
)

const prefix = 5

var errMessage = errors.New("this is no such message")

func number(to []byte, field int, value uint64) []byte {
	return binary.AppendUvarint(append(to, byte(field<<3)), value)
}

func bytes(to []byte, field int, value []byte) []byte {
	to = binary.AppendUvarint(append(to, byte(field<<3|2)), uint64(len(value)))
	return append(to, value...)
}

// A Payload, which has its body in field 2, as a field of its message.
func payload(to []byte, field, size int) []byte {
	return bytes(to, field, bytes(nil, 2, make([]byte, size)))
}

func framed(message []byte) []byte {
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	return append(frame, message...)
}

// The next message, or io.EOF.
func read(from io.Reader) ([]byte, error) {
	var head [prefix]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return nil, err
	}
	message := make([]byte, binary.BigEndian.Uint32(head[1:]))
	_, err := io.ReadFull(from, message)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return message, err
}

// Gives every field of a message: a number, or bytes.
func fields(message []byte, give func(field int, value uint64, bytes []byte)) error {
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		value, m := binary.Uvarint(message[max(n, 0):])
		if n <= 0 || m <= 0 {
			return errMessage
		}
		message = message[n+m:]
		switch tag & 7 {
		case 0:
			give(int(tag>>3), value, nil)
		case 2:
			if value > uint64(len(message)) {
				return errMessage
			}
			give(int(tag>>3), 0, message[:value])
			message = message[value:]
		default:
			return errMessage
		}
	}
	return nil
}

// How long the body is of the Payload that a field holds.
func body(message []byte, field int) (size int, err error) {
	err = fields(message, func(f int, _ uint64, payload []byte) {
		if f == field {
			err = fields(payload, func(f int, _ uint64, body []byte) {
				if f == 2 {
					size = len(body)
				}
			})
		}
	})
	return size, err
}
