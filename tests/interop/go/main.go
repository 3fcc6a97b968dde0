// gRPC's interop client and server on grpc-go, under the official flags:
// `peer server --port=…` and `peer client --test_case=…`.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	role := ""
	if len(os.Args) > 1 {
		role = os.Args[1]
		os.Args = os.Args[1:]
	}
	var err error
	switch role {
	case "server":
		port := flag.Int("port", 0, "where to listen")
		tls := flag.Bool("use_tls", false, "whether to encrypt")
		cert := flag.String("tls_cert_file", "", "the certificate chain")
		key := flag.String("tls_key_file", "", "the certificate's key")
		flag.Parse()
		err = serve(*port, *tls, *cert, *key)
	case "client":
		host := flag.String("server_host", "127.0.0.1", "whom to call")
		port := flag.Int("server_port", 0, "where it listens")
		name := flag.String("server_host_override", "", "its name, for TLS and :authority")
		test := flag.String("test_case", "", "what to call")
		tls := flag.Bool("use_tls", false, "whether to encrypt")
		ca := flag.String("ca_file", "", "whom to trust")
		iterations := flag.Int("soak_iterations", 10, "the calls of a soak")
		flag.Parse()
		err = call(*test, &client{
			address:    fmt.Sprintf("%s:%d", *host, *port),
			name:       *name,
			tls:        *tls,
			ca:         *ca,
			iterations: *iterations,
		})
	default:
		err = fmt.Errorf("usage: peer server|client FLAGS")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
