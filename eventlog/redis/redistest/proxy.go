package redistest

import (
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Proxy forwards TCP connections to a target on loopback and interrupts them on demand. Its methods may be called
// concurrently.
type Proxy struct {
	listener net.Listener
	work     sync.WaitGroup

	mu      sync.Mutex
	target  string
	state   proxyState
	changed chan struct{} // closed and replaced when the state changes
	links   map[*proxyLink]struct{}
}

type proxyState int

const (
	forwarding proxyState = iota
	cut
	hanging        // forwards no data
	holdingReplies // forwards requests only
)

// NewProxy listens on a free port and forwards to the target, a host and port. It ends with the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	proxy := &Proxy{listener: listener, target: target, changed: make(chan struct{}), links: map[*proxyLink]struct{}{}}
	proxy.work.Go(proxy.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		proxy.Cut()
		proxy.work.Wait()
	})
	return proxy
}

// Addr returns the host and port that clients dial.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut breaks all connections and closes new ones at once, until Resume.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.setState(cut)
	p.breakAll()
}

// Hang keeps the connections and accepts new ones, but forwards no data that arrives later, nor the end of a
// connection, until Resume.
func (p *Proxy) Hang() { p.change(hanging) }

// HoldReplies forwards requests and holds the replies back until Resume: commands run, and their clients do not learn
// it.
func (p *Proxy) HoldReplies() { p.change(holdingReplies) }

// Resume forwards again, starting with the data that was held back.
func (p *Proxy) Resume() { p.change(forwarding) }

// Retarget breaks all connections and forwards new ones to another target.
func (p *Proxy) Retarget(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
	p.breakAll()
}

func (p *Proxy) change(to proxyState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.setState(to)
}

func (p *Proxy) setState(to proxyState) {
	p.state = to
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Proxy) breakAll() {
	for link := range p.links {
		link.close()
	}
	clear(p.links)
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		link := &proxyLink{client: client, broken: make(chan struct{})}
		p.mu.Lock()
		target := p.target
		if p.state == cut {
			link.close()
		} else {
			p.links[link] = struct{}{}
			p.work.Go(func() { p.serve(link, target) })
		}
		p.mu.Unlock()
	}
}

// serve connects to the target and forwards both ways until one side closes its connection or the link is broken.
func (p *Proxy) serve(link *proxyLink, target string) {
	defer p.drop(link)
	if !p.waitWhile(link, hanging) {
		return
	}
	server, err := net.Dial("tcp", target)
	if err != nil || !link.connect(server) {
		return
	}
	p.work.Go(func() {
		defer p.drop(link)
		p.forward(link, link.client, server, hanging, holdingReplies)
	})
	p.forward(link, server, link.client, hanging)
}

// forward copies data from one side to the other, except in the given states.
func (p *Proxy) forward(link *proxyLink, to, from net.Conn, except ...proxyState) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if !p.waitWhile(link, except...) {
			return
		}
		if _, failed := to.Write(buffer[:n]); failed != nil || err != nil {
			return
		}
	}
}

// waitWhile waits until the proxy is in none of the given states. It returns false if the link was broken.
func (p *Proxy) waitWhile(link *proxyLink, except ...proxyState) bool {
	for {
		p.mu.Lock()
		held, changed := false, p.changed
		for _, state := range except {
			held = held || p.state == state
		}
		p.mu.Unlock()
		if !held {
			return true
		}
		select {
		case <-changed:
		case <-link.broken:
			return false
		}
	}
}

func (p *Proxy) drop(link *proxyLink) {
	p.mu.Lock()
	defer p.mu.Unlock()
	link.close()
	delete(p.links, link)
}

// proxyLink is a client's connection with its connection to the target.
type proxyLink struct {
	client net.Conn
	broken chan struct{}

	mu     sync.Mutex
	server net.Conn
	closed bool
}

// connect sets the connection to the target. It returns false if the link was broken meanwhile.
func (l *proxyLink) connect(server net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = server.Close()
		return false
	}
	l.server = server
	return true
}

func (l *proxyLink) close() {
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
