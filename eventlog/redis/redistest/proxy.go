package redistest

import (
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Proxy forwards TCP connections to a target on loopback and breaks them when told to. Its methods
// may be called by several goroutines at once.
type Proxy struct {
	listener net.Listener
	work     sync.WaitGroup

	mu      sync.Mutex
	target  string
	state   state
	changed chan struct{} // closed and made anew when the state changes
	links   map[*link]struct{}
}

type state int

const (
	forwarding state = iota
	cut
	hung // nothing is forwarded
	mute // requests are forwarded, answers are not
)

// NewProxy listens on a free port and forwards to the target, a host and port. It ends with the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &Proxy{listener: l, target: target, changed: make(chan struct{}), links: map[*link]struct{}{}}
	p.work.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.Cut()
		p.work.Wait()
	})
	return p
}

// Addr returns the host and port that clients dial.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut breaks all connections, and closes new ones at once, until Mend.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.enter(cut)
	p.breakAll()
}

// Hang keeps the connections, takes new ones, and forwards nothing that arrives after its return, not even
// that one side has hung up, until Mend: then all of it is forwarded.
func (p *Proxy) Hang() { p.change(hung) }

// HoldAnswers forwards requests and holds the answers back until Mend: commands are executed, and nobody
// learns of it.
func (p *Proxy) HoldAnswers() { p.change(mute) }

// Mend forwards again, what was held back first.
func (p *Proxy) Mend() { p.change(forwarding) }

// Retarget breaks all connections and sends new ones to another target.
func (p *Proxy) Retarget(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
	p.breakAll()
}

func (p *Proxy) change(to state) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.enter(to)
}

func (p *Proxy) enter(to state) {
	p.state = to
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Proxy) breakAll() {
	for l := range p.links {
		l.close()
	}
	clear(p.links)
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		l := &link{client: client, broken: make(chan struct{})}
		p.mu.Lock()
		target := p.target
		if p.state == cut {
			l.close()
		} else {
			p.links[l] = struct{}{}
			p.work.Go(func() { p.serve(l, target) })
		}
		p.mu.Unlock()
	}
}

// serve dials the target and forwards both ways until one side hangs up or the link is broken.
func (p *Proxy) serve(l *link, target string) {
	defer p.drop(l)
	if !p.pass(l, hung) {
		return
	}
	server, err := net.Dial("tcp", target)
	if err != nil || !l.connect(server) {
		return
	}
	p.work.Go(func() {
		defer p.drop(l)
		p.forward(l, l.client, server, hung, mute)
	})
	p.forward(l, server, l.client, hung)
}

// forward copies from one side to the other, except in the given states.
func (p *Proxy) forward(l *link, to, from net.Conn, except ...state) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if !p.pass(l, except...) {
			return
		}
		if _, failed := to.Write(buffer[:n]); failed != nil || err != nil {
			return
		}
	}
}

// pass waits until the proxy is in none of the given states; it tells whether the link is still whole.
func (p *Proxy) pass(l *link, except ...state) bool {
	for {
		p.mu.Lock()
		held, changed := false, p.changed
		for _, s := range except {
			held = held || p.state == s
		}
		p.mu.Unlock()
		if !held {
			return true
		}
		select {
		case <-changed:
		case <-l.broken:
			return false
		}
	}
}

func (p *Proxy) drop(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.close()
	delete(p.links, l)
}

// link is a client's connection and, once dialled, the one to the target.
type link struct {
	client net.Conn
	broken chan struct{}

	mu     sync.Mutex
	server net.Conn
	closed bool
}

// connect gives the link its second connection, unless it was broken meanwhile.
func (l *link) connect(server net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = server.Close()
		return false
	}
	l.server = server
	return true
}

func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	close(l.broken)
	_ = l.client.Close()
	if l.server != nil {
		_ = l.server.Close()
	}
}
