package webhooks

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// How long a receiver may take, and how much it may answer.
const (
	dialTimeout    = 5 * time.Second
	tlsTimeout     = 5 * time.Second
	headerTimeout  = 15 * time.Second
	attemptTimeout = 20 * time.Second // a quarter of it for the body, after the headers
	maxAnswer      = 64 << 10
)

// ErrForbiddenAddress says that a receiver's address is none that may be called.
var ErrForbiddenAddress = errors.New("this address may not be called")

// azureMetadata is a public address that answers only inside a cloud, with secrets.
var azureMetadata = netip.MustParsePrefix("168.63.129.16/32")

// NewClient returns the one client for deliveries and tests of them. Every address is checked at the time of
// dialling, after its name was resolved, so that no name can resolve to another one later. It calls
// ports 80 and 443 of public addresses over https, and any port of the given private networks, there
// also over http. It follows no redirect and uses no proxy.
func NewClient(private []netip.Prefix) *http.Client {
	return &http.Client{
		Transport: &guard{
			secure: transport(checkPublic(private)),
			plain:  transport(checkPrivate(private)),
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// guard sends over https, or over http to private networks alone.
type guard struct{ secure, plain *http.Transport }

func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	switch r.URL.Scheme {
	case "https":
		return g.secure.RoundTrip(r)
	case "http":
		return g.plain.RoundTrip(r)
	}
	return nil, fmt.Errorf("%w: it is neither https nor http", ErrForbiddenAddress)
}

// CloseIdleConnections is called by http.Client.
func (g *guard) CloseIdleConnections() {
	g.secure.CloseIdleConnections()
	g.plain.CloseIdleConnections()
}

// CheckHost says early what dialling would refuse whatever the host's name resolves to: a port, or an address in the
// place of a name. It asks no name server.
func CheckHost(u *url.URL, private []netip.Prefix) error {
	port := u.Port()
	n, err := strconv.ParseUint(port, 10, 16)
	if port != "" && (err != nil || n == 0) {
		return fmt.Errorf("the port %s does not exist", port)
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if err != nil { // a name, which may lead to a private network
		if port == "" || n == 80 || n == 443 || len(private) > 0 {
			return nil
		}
		return fmt.Errorf("%w: port %s is neither 80 nor 443", ErrForbiddenAddress, port)
	}
	if port == "" {
		n = 443
	}
	network := "tcp6"
	if ip = ip.Unmap().WithZone(""); ip.Is4() {
		network = "tcp4"
	}
	return checkPublic(private)(network, netip.AddrPortFrom(ip, uint16(n)).String(), nil)
}

type control func(network, address string, c syscall.RawConn) error

func transport(check control) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second, Control: check}
	return &http.Transport{
		Proxy:             nil, // one of the environment would be dialled instead of the receiver
		DialContext:       dialer.DialContext,
		ForceAttemptHTTP2: true, // a dialer of one's own turns it off
		// The webhooks of one tool share a connection: one that is dead without a word must not fail them all for long.
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: headerTimeout, PingTimeout: dialTimeout},
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    tlsTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		MaxResponseHeaderBytes: maxAnswer,
		DisableCompression:     true, // a small answer may unpack to a large one
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    128,
		IdleConnTimeout:        90 * time.Second,
	}
}

// checkPublic allows public addresses and the given private networks.
func checkPublic(private []netip.Prefix) control {
	g := ssrf.New(ssrf.WithDeniedV4Prefixes(azureMetadata))
	return func(network, address string, c syscall.RawConn) error {
		if within(private, address) {
			return nil
		}
		if err := g.Safe(network, address, c); err != nil {
			return forbidden(address, err)
		}
		return nil
	}
}

// checkPrivate allows the given private networks alone.
func checkPrivate(private []netip.Prefix) control {
	return func(_, address string, _ syscall.RawConn) error {
		if within(private, address) {
			return nil
		}
		return fmt.Errorf("%w: plain http is for networks that --allow-private-webhooks names", ErrForbiddenAddress)
	}
}

// forbidden does not name the address, since a tenant could explore the operator's network with it.
func forbidden(address string, err error) error {
	if errors.Is(err, ssrf.ErrProhibitedPort) {
		_, port, _ := net.SplitHostPort(address)
		return fmt.Errorf("%w: port %s is neither 80 nor 443", ErrForbiddenAddress, port)
	}
	return fmt.Errorf("%w: it is not a public one", ErrForbiddenAddress)
}

func within(networks []netip.Prefix, address string) bool {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return false
	}
	ip := a.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// ParseNetworks reads a list of networks such as "10.0.0.0/8,fd00::/8".
func ParseNetworks(text string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		p, err := netip.ParsePrefix(part)
		if err != nil {
			return nil, fmt.Errorf("%q is no network: want such as 10.0.0.0/8", part)
		}
		if p.Addr().Is4In6() {
			return nil, fmt.Errorf("%q: write it as IPv4", part)
		}
		networks = append(networks, p.Masked())
	}
	return networks, nil
}

// answer is what a receiver said.
type answer struct {
	status int
	header http.Header
	body   []byte
	cut    bool // it did not end in time, or is longer than what is read
}

// call sends a request and reads the answer, as much as is wanted of it. Whoever streams without end
// has answered all the same: what came until then counts.
func call(ctx context.Context, client *http.Client, r *http.Request, limit time.Duration) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", "Tandem-Webhooks/1")
	}
	response, err := client.Do(r.WithContext(ctx))
	if err != nil {
		return answer{}, fault(err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusSwitchingProtocols {
		return answer{status: response.StatusCode, header: response.Header}, nil // what follows is no answer, and has no timeout
	}
	late := time.AfterFunc(limit/4, cancel)
	defer late.Stop()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	a := answer{response.StatusCode, response.Header, body, err != nil}
	if len(body) > maxAnswer {
		a.body, a.cut = body[:maxAnswer], true
	}
	return a, nil
}

// fault says what went wrong in words that can be shown: without the address, which may hold a secret.
func fault(err error) error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	var name *net.DNSError
	var op *net.OpError
	var cert *tls.CertificateVerificationError
	timeout, isTimeout := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, ErrForbiddenAddress):
		return unwrapTo(err)
	case errors.As(err, &name) && name.IsNotFound:
		return errors.New("the host's name does not exist")
	case errors.As(err, &name):
		return errors.New("the host's name could not be resolved")
	case errors.As(err, &cert):
		return fmt.Errorf("the certificate was not accepted: %w", cert.Err)
	case errors.Is(err, context.DeadlineExceeded), isTimeout && timeout.Timeout():
		return errors.New("no answer in time")
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("connection refused")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the connection was closed before an answer came")
	case errors.As(err, &op):
		return fmt.Errorf("%s failed: %w", op.Op, op.Err)
	}
	return err
}

// unwrapTo returns the error that says why an address is forbidden, without the address.
func unwrapTo(err error) error {
	for {
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err
			continue
		}
		return err
	}
}
