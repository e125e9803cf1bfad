package webhooks

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

// tryRequest sends a request. Its body limit is short only where bodyLimit is given.
func tryRequest(t *testing.T, client *http.Client, url string, bodyLimit ...time.Duration) (httpResponse, error) {
	t.Helper()
	t.Cleanup(client.CloseIdleConnections)
	request, err := http.NewRequest(http.MethodPost, url, strings.NewReader("{}"))
	require.NoError(t, err)
	return doRequest(t.Context(), client, request, patience, append(bodyLimit, patience)[0])
}

func startServer(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body) // otherwise the server does not notice the end of the connection
		request.Body = io.NopCloser(bytes.NewReader(body))
		handler(w, request)
	}))
	t.Cleanup(server.Close)
	return server
}

func TestForbiddenAddresses(t *testing.T) {
	public, private := checkPublic(nil), checkPrivate(nil)
	for _, address := range []string{
		"127.0.0.1:443", "10.1.2.3:443", "192.168.0.1:443", "172.16.5.5:80", "169.254.169.254:80", "100.64.0.1:443",
		"0.0.0.0:443", "198.18.0.1:443", "224.0.0.1:443", "240.0.0.1:443", "168.63.129.16:443", "203.0.113.9:443",
		"[::1]:443", "[fe80::1]:443", "[fd00::1]:443", "[::ffff:127.0.0.1]:443", "[::ffff:168.63.129.16]:443",
		"[64:ff9b::7f00:1]:443", "[2002:7f00:1::1]:443", "[2001:db8::1]:443", "[100::1]:443", "[5f00::1]:443", "[::]:443",
		"8.8.8.8:8080", "8.8.8.8:22", "nonsense",
	} {
		network := "tcp4"
		if strings.HasPrefix(address, "[") {
			network = "tcp6"
		}
		require.ErrorIs(t, public(network, address, nil), ErrForbiddenAddress, address)
		require.ErrorIs(t, private(network, address, nil), ErrForbiddenAddress, address)
	}
	for _, address := range []string{"8.8.8.8:443", "8.8.8.8:80"} {
		require.NoError(t, public("tcp4", address, nil))
		require.ErrorIs(t, private("tcp4", address, nil), ErrForbiddenAddress, "plain http is not for public addresses")
	}
	require.NoError(t, public("tcp6", "[2a00:1450:4001::1]:443", nil))
	require.ErrorIs(t, public("udp4", "8.8.8.8:443", nil), ErrForbiddenAddress)
}

func TestAllowedPrivateNetworks(t *testing.T) {
	networks, err := ParseNetworks("10.0.0.0/8, fd00::/8,")
	require.NoError(t, err)
	for _, check := range []dialControl{checkPublic(networks), checkPrivate(networks)} {
		require.NoError(t, check("tcp4", "10.9.9.9:9000", nil), "any port")
		require.NoError(t, check("tcp6", "[fd00::5]:80", nil))
		require.NoError(t, check("tcp6", "[::ffff:10.9.9.9]:80", nil))
		require.ErrorIs(t, check("tcp4", "127.0.0.1:80", nil), ErrForbiddenAddress, "loopback is not listed")
	}
	for _, wrong := range []string{"10.0.0.1", "x/8", "::ffff:10.0.0.0/104"} {
		_, err := ParseNetworks(wrong)
		require.Error(t, err, wrong)
	}
}

func TestDoRequestReadsTheResponse(t *testing.T) {
	server := startServer(t, func(w http.ResponseWriter, request *http.Request) {
		w.Header().Set("X-A", request.Header.Get("User-Agent"))
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte("short"))
	})
	response, err := tryRequest(t, NewClient(loopback()), server.URL)
	require.NoError(t, err)
	require.Equal(t, httpResponse{status: http.StatusTeapot, header: response.header, body: []byte("short")}, response)
	require.Equal(t, "Tandem-Webhooks/1", response.header.Get("X-A"))
}

func TestDoRequestBlocksPrivateAddresses(t *testing.T) {
	server := startServer(t, func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") })
	_, err := tryRequest(t, NewClient(nil), server.URL)
	require.ErrorIs(t, err, ErrForbiddenAddress)
	require.NotContains(t, err.Error(), "127.0.0.1", "a partner must not learn the address of a name")
	_, err = tryRequest(t, NewClient(nil), strings.Replace(server.URL, "http:", "https:", 1))
	require.ErrorIs(t, err, ErrForbiddenAddress)
	_, err = tryRequest(t, NewClient(nil), "ftp://example.com/")
	require.ErrorIs(t, err, ErrForbiddenAddress)
}

func TestDoRequestFollowsNoRedirectOrProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	inner := startServer(t, func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") })
	server := startServer(t, func(w http.ResponseWriter, request *http.Request) {
		http.Redirect(w, request, inner.URL, http.StatusTemporaryRedirect)
	})
	response, err := tryRequest(t, NewClient(loopback()), server.URL)
	require.NoError(t, err)
	require.Equal(t, http.StatusTemporaryRedirect, response.status)
}

func TestDoRequestVerifiesCertificates(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") }))
	server.Config.ErrorLog = nil
	server.StartTLS()
	t.Cleanup(server.Close)
	_, err := tryRequest(t, NewClient(loopback()), server.URL)
	require.ErrorContains(t, err, "certificate")
}

func TestDoRequestTruncatesAnEndlessStream(t *testing.T) {
	ended := make(chan struct{})
	server := startServer(t, func(w http.ResponseWriter, request *http.Request) {
		defer close(ended)
		for request.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1024)); err != nil {
				return
			}
		}
	})
	response, err := tryRequest(t, NewClient(loopback()), server.URL)
	require.NoError(t, err)
	require.True(t, response.truncated)
	require.Len(t, response.body, maxResponseBytes)
	<-ended
}

func TestDoRequestStopsReadingAnOpenBody(t *testing.T) {
	server := startServer(t, func(w http.ResponseWriter, request *http.Request) {
		_, _ = w.Write([]byte("ok"))
		w.(http.Flusher).Flush()
		<-request.Context().Done()
	})
	response, err := tryRequest(t, NewClient(loopback()), server.URL, 50*time.Millisecond)
	require.NoError(t, err)
	require.Equal(t, 200, response.status)
	require.True(t, response.truncated)
}

func TestErrorsOmitTheAddress(t *testing.T) {
	hangs := startServer(t, func(_ http.ResponseWriter, request *http.Request) { <-request.Context().Done() })
	drops := startServer(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, gone.Close())
	for name, test := range map[string]struct {
		url   string
		limit time.Duration
		want  string
	}{
		"hangs":   {hangs.URL + "/secret", 50 * time.Millisecond, "no response in time"},
		"drops":   {drops.URL + "/secret", patience, "the connection was closed before a response"},
		"refuses": {"http://" + gone.Addr().String() + "/secret", patience, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequest(http.MethodPost, test.url, strings.NewReader("{}"))
			require.NoError(t, err)
			request.GetBody = nil
			client := NewClient(loopback())
			defer client.CloseIdleConnections()
			_, err = doRequest(t.Context(), client, request, test.limit, test.limit)
			require.EqualError(t, err, test.want)
		})
	}
	require.EqualError(t, describeError(&net.DNSError{IsNotFound: true}), "the host name does not exist")
	require.EqualError(t, describeError(&net.DNSError{IsTimeout: true}), "the host name could not be resolved")
	require.EqualError(t, describeError(&net.OpError{Op: "read", Err: syscall.EHOSTUNREACH}), "read failed: no route to host")
	require.EqualError(t, describeError(context.Canceled), "context canceled")
}

// Addresses that are always blocked are reported when a manager enters them.
func TestCheckHost(t *testing.T) {
	networks, err := ParseNetworks("10.0.0.0/8")
	require.NoError(t, err)
	for address, allowed := range map[string][]netip.Prefix{
		"https://ops.example/": nil, "https://ops.example:443/": nil, "https://8.8.8.8/": nil, "https://[2a00:1450:4001::1]/": nil,
		"https://10.1.1.1:9000/": networks, "https://ops.example:9000/": networks, "http://[::ffff:10.1.1.1]/": networks,
	} {
		parsed, err := url.Parse(address)
		require.NoError(t, err)
		require.NoError(t, CheckHost(parsed, allowed), address)
	}
	for _, address := range []string{
		"https://ops.example:22/", "https://ops.example:0/", "https://ops.example:99999/", "https://8.8.8.8:22/", "https://127.0.0.1/",
		"https://169.254.169.254/", "https://[fe80::1%25eth0]/", "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::a00:1]/", "https://10.1.1.1/",
		"https://168.63.129.16/", "https://0.0.0.0/",
	} {
		parsed, err := url.Parse(address)
		require.NoError(t, err)
		require.Error(t, CheckHost(parsed, nil), address)
	}
}

// P7: after a response 101, no timeout would end the connection. It is closed at once.
func TestDoRequestIgnoresProtocolSwitch(t *testing.T) {
	hold := make(chan struct{})
	server := startServer(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
		<-hold
	})
	defer close(hold)
	response, err := tryRequest(t, NewClient(loopback()), server.URL)
	require.NoError(t, err)
	require.Equal(t, httpResponse{status: http.StatusSwitchingProtocols, header: response.header}, response, "the body is not read")
}
