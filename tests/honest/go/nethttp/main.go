// Go's net/http as the other end, in plain text with prior knowledge: `peer server`
// is an interop server, as much of it as load clients call, `peer client` a load
// client.
package main

import (
	"fmt"
	"net/http"
	"os"
)

// HTTP/2 without TLS, and nothing else.
func protocols() *http.Protocols {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return protocols
}

func main() {
	role := ""
	if len(os.Args) > 1 {
		role = os.Args[1]
	}
	switch role {
	case "server":
		fmt.Fprintln(os.Stderr, serve())
	case "client":
		l := parse(os.Args[2:])
		c := newClient(l)
		if err := c.connect(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		l.run(c.call)
		return
	default:
		fmt.Fprintln(os.Stderr, "usage: peer server|client FLAGS")
	}
	os.Exit(1)
}
