package redistest

import (
	"math/rand/v2"
	"net"
	"strconv"
)

// Client ports, and the distance to the port of the cluster bus, which Redis derives from the client port.
const (
	lowestPort = 11000
	ports      = 10000
	toBus      = 10000 // all below 32768, where outgoing connections start
)

// freePort returns a port that is free at present together with its bus port. Another process may still take it.
func freePort() int {
	for {
		port := lowestPort + rand.IntN(ports)
		if isFree(port) && isFree(port+toBus) {
			return port
		}
	}
}

func isFree(port int) bool {
	listener, err := net.Listen("tcp", address(port))
	if err != nil {
		return false
	}
	_ = listener.Close()
	return true
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
