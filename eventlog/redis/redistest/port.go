package redistest

import (
	"math/rand/v2"
	"net"
	"strconv"
)

// Client ports and, where a cluster talks over it, the bus port that Redis derives from each.
const (
	lowestPort = 11000
	ports      = 10000
	toBus      = 10000 // all of them are below 32768, where outgoing connections begin
)

// freePort finds a port that is free at present, and whose bus port is. Another process may still be faster.
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
