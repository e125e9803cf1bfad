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
func Listener(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: headerTimeout, WriteTimeout: writeTimeout, MaxHeaderBytes: 64 << 10,
	}
}

// Coarse wraps a listener so that its connections move a deadline only when that makes a
// difference of a second or more. net/http sets five deadlines per request, each of which moves a
// timer; for a status poll that is a tenth of its cost.
func Coarse(l net.Listener) net.Listener { return coarseListener{l} }

type coarseListener struct{ net.Listener }

func (l coarseListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &coarseConn{
		Conn: c, read: coarseDeadline{apply: c.SetReadDeadline}, write: coarseDeadline{apply: c.SetWriteDeadline},
	}, nil
}

type coarseConn struct {
	net.Conn
	read, write coarseDeadline
}

func (c *coarseConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

func (c *coarseConn) SetReadDeadline(t time.Time) error { return c.read.set(t) }

func (c *coarseConn) SetWriteDeadline(t time.Time) error { return c.write.set(t) }

func (c *coarseConn) Read(p []byte) (int, error) {
	if err := c.read.settle(); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *coarseConn) Write(p []byte) (int, error) {
	if err := c.write.settle(); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// coarseDeadline is a deadline as it was asked for and as it stands. Taking one away is put off
// until something waits for it: mostly a new one comes first.
type coarseDeadline struct {
	apply func(time.Time) error

	mu     sync.Mutex
	stands time.Time
	none   bool // none was asked for, and stands is there still
}

const coarseness = time.Second

func (d *coarseDeadline) set(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t.IsZero() {
		d.none = !d.stands.IsZero()
		return nil
	}
	d.none = false
	if moved := t.Sub(d.stands); moved > -coarseness && moved < coarseness {
		return nil
	}
	d.stands = t
	return d.apply(t)
}

func (d *coarseDeadline) settle() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.none {
		return nil
	}
	d.none, d.stands = false, time.Time{}
	return d.apply(time.Time{})
}
