// What a load client is asked for and what it tells: the flags, the streams that
// repeat calls until the time is up, and the line of JSON at the end. Part of both
// clients in Go.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// What a call may take after the time is up, before it counts as stuck.
const patience = 20 * time.Second

type load struct {
	port, size, messages, streams, seconds, calls, cancelEvery int

	work, reader string

	// Calls that are still to end before the absent ones read.
	present sync.WaitGroup
}

func parse(arguments []string) *load {
	l := &load{}
	flags := flag.NewFlagSet("client", flag.ExitOnError)
	flags.IntVar(&l.port, "server_port", 0, "where the server listens")
	flags.StringVar(&l.work, "work", "download", "download, upload, bidi or unary")
	flags.IntVar(&l.size, "size", 1024, "bytes of a message's body")
	flags.IntVar(&l.messages, "messages", 1000, "messages of a call")
	flags.IntVar(&l.streams, "streams", 1, "calls at once")
	flags.IntVar(&l.seconds, "seconds", 5, "how long new calls begin")
	flags.IntVar(&l.calls, "calls", 0, "calls in all, or as many as the time has")
	flags.StringVar(&l.reader, "reader", "prompt", "prompt, slow, bursty or absent: how responses are read")
	flags.IntVar(&l.cancelEvery, "cancel_every", 0, "each call of that number is cancelled after its first message")
	flags.Parse(arguments)
	l.present.Add((l.calls + 1) / 2)
	return l
}

// What came with one call, or went where nothing comes back.
type carried struct {
	messages, bytes int
}

func (c *carried) count(size int, l *load) error {
	if size != l.size {
		return fmt.Errorf("a message of %d bytes came, not of %d", size, l.size)
	}
	c.messages++
	c.bytes += size
	return nil
}

func (c *carried) whole(l *load) error {
	if c.messages != l.messages {
		return fmt.Errorf("%d of %d messages came", c.messages, l.messages)
	}
	return nil
}

func uploaded(l *load, sum int) (carried, error) {
	c := carried{messages: l.messages, bytes: l.messages * l.size}
	if sum != c.bytes {
		return c, fmt.Errorf("%d of %d bytes came", sum, c.bytes)
	}
	return c, nil
}

type tally struct {
	Calls     int      `json:"calls"`
	Cancelled int      `json:"cancelled"`
	Messages  int      `json:"messages"`
	Bytes     int      `json:"bytes"`
	Seconds   float64  `json:"seconds"`
	Failures  []string `json:"failures"`
}

// Marks the call of one who reads nothing until the others have ended.
type absent struct{}

// Bursts are of what comes within burst.
const (
	pause        = 2 * time.Millisecond
	burst        = 20 * time.Millisecond
	betweenBurst = 200 * time.Millisecond
)

// What waits before each response of a call as its reader does.
func (l *load) waits(ctx context.Context) func() {
	if ctx.Value(absent{}) != nil {
		return l.present.Wait
	}
	began := time.Now()
	return func() {
		switch {
		case l.reader == "slow":
			time.Sleep(pause)
		case l.reader == "bursty" && time.Since(began) > burst:
			time.Sleep(betweenBurst)
			began = time.Now()
		}
	}
}

// Makes one call, and cancels it after its first message where that is said.
type caller func(ctx context.Context, cancel bool) (carried, error)

// Calls until the time is up, and ends the program. A stream ends with its first
// failure, since most failures are the connection's.
func (l *load) run(call caller) {
	began := time.Now()
	all := tally{Failures: []string{}}
	var lock sync.Mutex
	var streams sync.WaitGroup
	var begun int64
	for n := 0; n < l.streams; n++ {
		streams.Add(1)
		go func() {
			defer streams.Done()
			for time.Since(began) < time.Duration(l.seconds)*time.Second {
				number := int(atomic.AddInt64(&begun, 1))
				if l.calls > 0 && number > l.calls {
					return
				}
				cancel := l.cancelEvery > 0 && number%l.cancelEvery == 0
				ctx, free := context.WithTimeout(context.Background(), time.Duration(l.seconds)*time.Second+patience)
				if l.reader == "absent" && number%2 == 0 {
					ctx = context.WithValue(ctx, absent{}, true)
				}
				came, err := call(ctx, cancel)
				free()
				if l.calls > 0 && number%2 == 1 {
					l.present.Done()
				}
				lock.Lock()
				all.Calls++
				all.Messages += came.messages
				all.Bytes += came.bytes
				if err != nil {
					all.Failures = append(all.Failures, fmt.Sprintf("call %d: %v, after %d messages", number, err, came.messages))
				} else if cancel {
					all.Cancelled++
				}
				lock.Unlock()
				if err != nil {
					return
				}
			}
		}()
	}
	streams.Wait()
	all.Seconds = time.Since(began).Seconds()
	line, _ := json.Marshal(all)
	fmt.Println(string(line))
	if len(all.Failures) > 0 {
		os.Exit(1)
	}
}
