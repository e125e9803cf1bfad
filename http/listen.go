package http

import (
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	headerTimeout = time.Minute // also the idle timeout of a connection
	bodyTimeout   = 30 * time.Second
	writeTimeout  = maxWait + 30*time.Second // covers a long poll or a waiting write with its response
)

// Listener returns an http.Server for a handler of this package, with limits against slow and oversized requests. It
// sets no ReadTimeout, because net/http reads on while a handler runs and would end long polls with it. Handlers set
// a
// deadline for the body, and event streams extend the write deadline.
func Listener(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, IdleTimeout: headerTimeout, WriteTimeout: writeTimeout, MaxHeaderBytes: 64 << 10,
	}
}

// Coarse wraps a listener so that its connections move a deadline only if it changes by a second or more. net/http
// sets
// five deadlines per request, each of which moves a timer, which is a tenth of the cost of a status poll.
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

func (c *coarseConn) SetDeadline(at time.Time) error {
	if err := c.SetReadDeadline(at); err != nil {
		return err
	}
	return c.SetWriteDeadline(at)
}

func (c *coarseConn) SetReadDeadline(at time.Time) error { return c.read.set(at) }

func (c *coarseConn) SetWriteDeadline(at time.Time) error { return c.write.set(at) }

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

// coarseDeadline is a deadline as requested and as set. Clearing one is deferred until an operation waits for it,
// because usually a new deadline is set first.
type coarseDeadline struct {
	apply func(time.Time) error

	mu           sync.Mutex
	current      time.Time
	clearPending bool // cleared by the caller but still set
}

const coarseness = time.Second

func (d *coarseDeadline) set(at time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at.IsZero() {
		d.clearPending = !d.current.IsZero()
		return nil
	}
	d.clearPending = false
	if moved := at.Sub(d.current); moved > -coarseness && moved < coarseness {
		return nil
	}
	d.current = at
	return d.apply(at)
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
