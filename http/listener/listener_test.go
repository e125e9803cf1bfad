package listener_test

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/http/listener"
)

// recorder is a connection that records the deadlines set on it.
type recorder struct {
	net.Conn
	read []time.Time
}

func (r *recorder) SetReadDeadline(deadline time.Time) error {
	r.read = append(r.read, deadline)
	return nil
}

func (r *recorder) Read([]byte) (int, error) { return 0, nil }

type oneConn struct {
	net.Listener
	conn net.Conn
}

func (l oneConn) Accept() (net.Conn, error) { return l.conn, nil }

func TestCoarseDeadlines(t *testing.T) {
	t.Parallel()
	inner := &recorder{}
	conn, err := listener.Coarse(oneConn{conn: inner}).Accept()
	require.NoError(t, err)
	start := time.Date(2018, 3, 30, 9, 0, 0, 0, time.UTC)
	set := func(deadline time.Time) { require.NoError(t, conn.SetReadDeadline(deadline)) }
	read := func() {
		_, err := conn.Read(nil)
		require.NoError(t, err)
	}

	set(start)
	set(start.Add(900 * time.Millisecond))
	require.Equal(t, []time.Time{start}, inner.read, "a move of less than a second is not passed on")
	set(start.Add(time.Second))
	require.Equal(t, []time.Time{start, start.Add(time.Second)}, inner.read)
	set(time.Time{})
	set(start.Add(time.Second))
	read()
	require.Len(t, inner.read, 2, "clearing a deadline is dropped if a new one follows before a read")
	set(time.Time{})
	read()
	require.Equal(t, time.Time{}, inner.read[2], "a read clears the deadline")
	read()
	require.Len(t, inner.read, 3)
}

func TestServerAllowsLongPolls(t *testing.T) {
	t.Parallel()
	server := listener.NewServer(nil)
	require.Zero(t, server.ReadTimeout, "net/http would end long polls with it")
	require.Greater(t, server.WriteTimeout, listener.MaxWait)
	require.Positive(t, server.ReadHeaderTimeout)
	require.Positive(t, server.MaxHeaderBytes)
}
