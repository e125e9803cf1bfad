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

// Limits of one request. A quarter of the attempt timeout is for the body, after the headers.
const (
	dialTimeout      = 5 * time.Second
	tlsTimeout       = 5 * time.Second
	headerTimeout    = 15 * time.Second
	attemptTimeout   = 20 * time.Second
	maxResponseBytes = 64 << 10
)

// ErrForbiddenAddress means that an address is not allowed as a receiver.
var ErrForbiddenAddress = errors.New("connections to this address are blocked")

// azureMetadata is a public address that serves secrets inside the Azure cloud.
var azureMetadata = netip.MustParsePrefix("168.63.129.16/32")

// NewClient returns an HTTP client for webhooks. It connects over https to ports 80 and 443 of public addresses, and
// over http or https to any port of the given private networks. Connections to other addresses fail with
// [ErrForbiddenAddress]. The check follows name resolution, when connecting, so that DNS rebinding cannot bypass it.
// The client follows no redirects and uses no proxy.
func NewClient(allowed []netip.Prefix) *http.Client {
	return &http.Client{
		Transport: &schemeTransport{
			secure: newTransport(checkPublic(allowed)),
			plain:  newTransport(checkPrivate(allowed)),
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// schemeTransport sends https requests to all allowed addresses, and http requests only to private networks.
type schemeTransport struct{ secure, plain *http.Transport }

// RoundTrip implements [http.RoundTripper].
func (g *schemeTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	switch r.URL.Scheme {
	case "https":
		return g.secure.RoundTrip(r)
	case "http":
		return g.plain.RoundTrip(r)
	}
	return nil, fmt.Errorf("%w: the scheme must be https or http", ErrForbiddenAddress)
}

// CloseIdleConnections implements the method that [http.Client.CloseIdleConnections] calls.
func (g *schemeTransport) CloseIdleConnections() {
	g.secure.CloseIdleConnections()
	g.plain.CloseIdleConnections()
}

// CheckHost reports a port or IP address to which the client of [NewClient] never connects. It resolves no names, so a
// connection may still be blocked later.
func CheckHost(parsed *url.URL, allowed []netip.Prefix) error {
	port := parsed.Port()
	number, err := strconv.ParseUint(port, 10, 16)
	if port != "" && (err != nil || number == 0) {
		return fmt.Errorf("port %s is not valid: use 1 to 65535", port)
	}
	ip, err := netip.ParseAddr(parsed.Hostname())
	if err != nil { // a host name, which may resolve to a private network
		if port == "" || number == 80 || number == 443 || len(allowed) > 0 {
			return nil
		}
		return fmt.Errorf("%w: port %s must be 80 or 443", ErrForbiddenAddress, port)
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

// dialControl checks an address before a connection, as [net.Dialer.Control] does.
type dialControl func(network, address string, conn syscall.RawConn) error

func newTransport(check dialControl) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second, Control: check}
	return &http.Transport{
		Proxy:             nil, // a proxy of the environment would bypass the address check
		DialContext:       dialer.DialContext,
		ForceAttemptHTTP2: true, // a custom DialContext disables it by default
		// The webhooks of one service share a connection. Pings detect a dead one.
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: headerTimeout, PingTimeout: dialTimeout},
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    tlsTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		MaxResponseHeaderBytes: maxResponseBytes,
		DisableCompression:     true, // a small response could decompress to a large one
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

// checkPrivate allows only the given private networks.
func checkPrivate(allowed []netip.Prefix) dialControl {
	return func(_, address string, _ syscall.RawConn) error {
		if inNetworks(allowed, address) {
			return nil
		}
		return fmt.Errorf("%w: plain http requires a network of --allow-private-webhooks", ErrForbiddenAddress)
	}
}

// forbiddenError omits the address, because a partner could explore the operator's network with it.
func forbiddenError(address string, err error) error {
	if errors.Is(err, ssrf.ErrProhibitedPort) {
		_, port, _ := net.SplitHostPort(address)
		return fmt.Errorf("%w: port %s must be 80 or 443", ErrForbiddenAddress, port)
	}
	return fmt.Errorf("%w: the address is not public", ErrForbiddenAddress)
}

// inNetworks reports whether an address with port is in one of the networks.
func inNetworks(networks []netip.Prefix, address string) bool {
	parsed, err := netip.ParseAddrPort(address)
	if err != nil {
		return false
	}
	ip := parsed.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(networks, func(prefix netip.Prefix) bool { return prefix.Contains(ip) })
}

// ParseNetworks parses a comma-separated list of networks in CIDR notation, such as "10.0.0.0/8,fd00::/8".
func ParseNetworks(text string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(part)
		if err != nil {
			return nil, fmt.Errorf("%q is not a network: use CIDR notation, such as 10.0.0.0/8", part)
		}
		if prefix.Addr().Is4In6() {
			return nil, fmt.Errorf("%q is an IPv4-mapped IPv6 network: use IPv4 notation", part)
		}
		networks = append(networks, prefix.Masked())
	}
	return networks, nil
}

// httpResponse is the response of a receiver.
type httpResponse struct {
	status    int
	header    http.Header
	body      []byte
	truncated bool // the body did not end in time, or is longer than maxResponseBytes
}

// doRequest sends a request and reads the response within limit, its body up to maxResponseBytes and for at most
// bodyLimit. A body that does not end counts as a response with a truncated body.
func doRequest(ctx context.Context, client *http.Client, request *http.Request, limit, bodyLimit time.Duration) (httpResponse, error) {
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
		return httpResponse{status: response.StatusCode, header: response.Header}, nil // the body would be another protocol, without a timeout
	}
	bodyTimer := time.AfterFunc(bodyLimit, cancel)
	defer bodyTimer.Stop()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxResponseBytes+1))
	result := httpResponse{response.StatusCode, response.Header, body, err != nil}
	if len(body) > maxResponseBytes {
		result.body, result.truncated = body[:maxResponseBytes], true
	}
	return result, nil
}

// describeError describes an error for people, without the URL, which may contain secrets.
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
		return errors.New("the host name does not exist")
	case errors.As(err, &name):
		return errors.New("the host name could not be resolved")
	case errors.As(err, &cert):
		return fmt.Errorf("the certificate is not valid: %w", cert.Err)
	case errors.Is(err, context.DeadlineExceeded), isTimeout && timeout.Timeout():
		return errors.New("no response in time")
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("connection refused")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the connection was closed before a response")
	case errors.As(err, &op):
		return fmt.Errorf("%s failed: %w", op.Op, op.Err)
	}
	return err
}

// forbiddenCause returns the error of forbiddenError, without the address that the net package adds.
func forbiddenCause(err error) error {
	for {
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err
			continue
		}
		return err
	}
}
