// Package listener configures HTTP servers for the API: time-outs that allow long polls, limits against slow and
// oversized requests, and connections on which deadlines are cheap.
package listener

import (
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// MaxWait is the longest time that a request may wait for a change or an outcome before its answer begins.
	MaxWait = time.Minute

	headerTimeout = time.Minute              // to read a header; also the limit of an idle connection
	writeTimeout  = MaxWait + 30*time.Second // to handle a request and write its answer
	maxHeader     = 64 << 10                 // bytes
	precision     = time.Second              // of the deadlines of a coarse connection
)

// NewServer returns a server for handler with limits against slow and oversized requests. It has no ReadTimeout, which
// would end long polls, because net/http reads from the connection while a handler runs. Handlers set the read deadline
// for a body, and event streams extend the write deadline.
func NewServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, IdleTimeout: headerTimeout, WriteTimeout: writeTimeout, MaxHeaderBytes: maxHeader,
	}
}

// Coarse wraps a listener so that its connections move a deadline only by a second or more. net/http sets five deadlines
// per request, and each of them moves a timer: a tenth of the cost of a status poll.
func Coarse(inner net.Listener) net.Listener { return coarseListener{inner} }

type coarseListener struct{ net.Listener }

func (l coarseListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &coarseConn{
		Conn: conn, read: coarseDeadline{apply: conn.SetReadDeadline}, write: coarseDeadline{apply: conn.SetWriteDeadline},
	}, nil
}

type coarseConn struct {
	net.Conn
	read, write coarseDeadline
}

func (c *coarseConn) SetDeadline(deadline time.Time) error {
	if err := c.SetReadDeadline(deadline); err != nil {
		return err
	}
	return c.SetWriteDeadline(deadline)
}

func (c *coarseConn) SetReadDeadline(deadline time.Time) error { return c.read.set(deadline) }

func (c *coarseConn) SetWriteDeadline(deadline time.Time) error { return c.write.set(deadline) }

func (c *coarseConn) Read(data []byte) (int, error) {
	if err := c.read.applyPending(); err != nil {
		return 0, err
	}
	return c.Conn.Read(data)
}

func (c *coarseConn) Write(data []byte) (int, error) {
	if err := c.write.applyPending(); err != nil {
		return 0, err
	}
	return c.Conn.Write(data)
}

// coarseDeadline is one deadline of a connection. Removing it is deferred until the next read or write, because a new
// deadline usually follows first.
type coarseDeadline struct {
	apply func(time.Time) error // sets the deadline of the connection

	mu           sync.Mutex
	current      time.Time // as the connection has it
	clearPending bool      // the removal of current is deferred
}

func (d *coarseDeadline) set(deadline time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if deadline.IsZero() {
		d.clearPending = !d.current.IsZero()
		return nil
	}
	d.clearPending = false
	if moved := deadline.Sub(d.current); moved > -precision && moved < precision {
		return nil
	}
	d.current = deadline
	return d.apply(deadline)
}

func (d *coarseDeadline) applyPending() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.clearPending {
		return nil
	}
	d.clearPending, d.current = false, time.Time{}
	return d.apply(time.Time{})
}
