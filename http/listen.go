package http

import (
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	headerTimeout = time.Minute // also how long a connection may be idle
	bodyTimeout   = 30 * time.Second
	writeTimeout  = maxWait + 30*time.Second // a long poll, or a write that waits, and its answer
)

// Listener returns an http.Server for a handler of this package, with limits against slow and
// oversized requests. It has no ReadTimeout: net/http would end long polls with it, since it goes on
// reading while a handler runs. Handlers set a deadline for the body, and event streams extend the
// one for writing.
func Listener(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, IdleTimeout: headerTimeout, WriteTimeout: writeTimeout, MaxHeaderBytes: 64 << 10,
	}
}

// Coarse wraps a listener so that its connections move a deadline only when that makes a
// difference of a second or more. net/http sets five deadlines per request, each of which moves a
// timer; for a status poll that is a tenth of its cost.
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

// coarseDeadline is a deadline as it was asked for and as it stands. Taking one away is put off
// until something waits for it: mostly a new one comes first.
type coarseDeadline struct {
	apply func(time.Time) error

	mu           sync.Mutex
	current      time.Time
	clearPending bool // none was asked for, and stands is there still
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
