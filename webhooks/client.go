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
	dialTimeout      = 5 * time.Second
	tlsTimeout       = 5 * time.Second
	headerTimeout    = 15 * time.Second
	attemptTimeout   = 20 * time.Second // a quarter of it for the body, after the headers
	maxResponseBytes = 64 << 10
)

// ErrForbiddenAddress says that a receiver's address is none that may be called.
var ErrForbiddenAddress = errors.New("this address may not be called")

// azureMetadata is a public address that answers only inside a cloud, with secrets.
var azureMetadata = netip.MustParsePrefix("168.63.129.16/32")

// NewClient returns the one client for deliveries and tests of them. Every address is checked at the time of
// dialling, after its name was resolved, so that no name can resolve to another one later. It calls
// ports 80 and 443 of public addresses over https, and any port of the given private networks, there
// also over http. It follows no redirect and uses no proxy.
func NewClient(allowed []netip.Prefix) *http.Client {
	return &http.Client{
		Transport: &schemeTransport{
			secure: newTransport(checkPublic(allowed)),
			plain:  newTransport(checkPrivate(allowed)),
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// schemeTransport sends over https, or over http to private networks alone.
type schemeTransport struct{ secure, plain *http.Transport }

func (g *schemeTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	switch r.URL.Scheme {
	case "https":
		return g.secure.RoundTrip(r)
	case "http":
		return g.plain.RoundTrip(r)
	}
	return nil, fmt.Errorf("%w: it is neither https nor http", ErrForbiddenAddress)
}

// CloseIdleConnections is called by http.Client.
func (g *schemeTransport) CloseIdleConnections() {
	g.secure.CloseIdleConnections()
	g.plain.CloseIdleConnections()
}

// CheckHost says early what dialling would refuse whatever the host's name resolves to: a port, or an address in the
// place of a name. It asks no name server.
func CheckHost(parsed *url.URL, allowed []netip.Prefix) error {
	port := parsed.Port()
	number, err := strconv.ParseUint(port, 10, 16)
	if port != "" && (err != nil || number == 0) {
		return fmt.Errorf("the port %s does not exist", port)
	}
	ip, err := netip.ParseAddr(parsed.Hostname())
	if err != nil { // a name, which may lead to a private network
		if port == "" || number == 80 || number == 443 || len(allowed) > 0 {
			return nil
		}
		return fmt.Errorf("%w: port %s is neither 80 nor 443", ErrForbiddenAddress, port)
	}
	if port == "" {
		number = 443
	}
	network := "tcp6"
	if ip = ip.Unmap().WithZone(""); ip.Is4() {
		network = "tcp4"
	}
	return checkPublic(allowed)(network, netip.AddrPortFrom(ip, uint16(number)).String(), nil)
}

type dialControl func(network, address string, conn syscall.RawConn) error

func newTransport(check dialControl) *http.Transport {
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
		MaxResponseHeaderBytes: maxResponseBytes,
		DisableCompression:     true, // a small answer may unpack to a large one
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    128,
		IdleConnTimeout:        90 * time.Second,
	}
}

// checkPublic allows public addresses and the given private networks.
func checkPublic(allowed []netip.Prefix) dialControl {
	guardian := ssrf.New(ssrf.WithDeniedV4Prefixes(azureMetadata))
	return func(network, address string, conn syscall.RawConn) error {
		if inNetworks(allowed, address) {
			return nil
		}
		if err := guardian.Safe(network, address, conn); err != nil {
			return forbiddenError(address, err)
		}
		return nil
	}
}

// checkPrivate allows the given private networks alone.
func checkPrivate(allowed []netip.Prefix) dialControl {
	return func(_, address string, _ syscall.RawConn) error {
		if inNetworks(allowed, address) {
			return nil
		}
		return fmt.Errorf("%w: plain http is for networks that --allow-private-webhooks names", ErrForbiddenAddress)
	}
}

// forbiddenError does not name the address, since a tenant could explore the operator's network with it.
func forbiddenError(address string, err error) error {
	if errors.Is(err, ssrf.ErrProhibitedPort) {
		_, port, _ := net.SplitHostPort(address)
		return fmt.Errorf("%w: port %s is neither 80 nor 443", ErrForbiddenAddress, port)
	}
	return fmt.Errorf("%w: it is not a public one", ErrForbiddenAddress)
}

func inNetworks(networks []netip.Prefix, address string) bool {
	parsed, err := netip.ParseAddrPort(address)
	if err != nil {
		return false
	}
	ip := parsed.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(networks, func(prefix netip.Prefix) bool { return prefix.Contains(ip) })
}

// ParseNetworks reads a list of networks such as "10.0.0.0/8,fd00::/8".
func ParseNetworks(text string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(part)
		if err != nil {
			return nil, fmt.Errorf("%q is no network: want such as 10.0.0.0/8", part)
		}
		if prefix.Addr().Is4In6() {
			return nil, fmt.Errorf("%q: write it as IPv4", part)
		}
		networks = append(networks, prefix.Masked())
	}
	return networks, nil
}

// httpResponse is what a receiver said.
type httpResponse struct {
	status    int
	header    http.Header
	body      []byte
	truncated bool // it did not end in time, or is longer than what is read
}

// doRequest sends a request and reads the answer, as much as is wanted of it. Whoever streams without end
// has answered all the same: what came until then counts.
func doRequest(ctx context.Context, client *http.Client, request *http.Request, limit time.Duration) (httpResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if request.Header.Get("User-Agent") == "" {
		request.Header.Set("User-Agent", "Tandem-Webhooks/1")
	}
	response, err := client.Do(request.WithContext(ctx))
	if err != nil {
		return httpResponse{}, describeError(err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusSwitchingProtocols {
		return httpResponse{status: response.StatusCode, header: response.Header}, nil // what follows is no answer, and has no timeout
	}
	bodyTimer := time.AfterFunc(limit/4, cancel)
	defer bodyTimer.Stop()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxResponseBytes+1))
	result := httpResponse{response.StatusCode, response.Header, body, err != nil}
	if len(body) > maxResponseBytes {
		result.body, result.truncated = body[:maxResponseBytes], true
	}
	return result, nil
}

// describeError says what went wrong in words that can be shown: without the address, which may hold a secret.
func describeError(err error) error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	var name *net.DNSError
	var op *net.OpError
	var cert *tls.CertificateVerificationError
	timeout, isTimeout := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, ErrForbiddenAddress):
		return forbiddenCause(err)
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

// forbiddenCause returns the error that says why an address is forbidden, without the address.
func forbiddenCause(err error) error {
	for {
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err
			continue
		}
		return err
	}
}
