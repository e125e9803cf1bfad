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

func reach(t *testing.T, client *http.Client, url string) (answer, error) {
	t.Helper()
	t.Cleanup(client.CloseIdleConnections)
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader("{}"))
	require.NoError(t, err)
	return call(t.Context(), client, r, 2*time.Second)
}

func receiver(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // else the end of the connection is not noticed
		r.Body = io.NopCloser(bytes.NewReader(body))
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func TestAddressesThatMayNotBeCalled(t *testing.T) {
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

func TestPrivateNetworksAreAllowedByName(t *testing.T) {
	networks, err := ParseNetworks("10.0.0.0/8, fd00::/8,")
	require.NoError(t, err)
	for _, check := range []control{checkPublic(networks), checkPrivate(networks)} {
		require.NoError(t, check("tcp4", "10.9.9.9:9000", nil), "any port")
		require.NoError(t, check("tcp6", "[fd00::5]:80", nil))
		require.NoError(t, check("tcp6", "[::ffff:10.9.9.9]:80", nil))
		require.ErrorIs(t, check("tcp4", "127.0.0.1:80", nil), ErrForbiddenAddress, "loopback only when it is listed")
	}
	for _, wrong := range []string{"10.0.0.1", "x/8", "::ffff:10.0.0.0/104"} {
		_, err := ParseNetworks(wrong)
		require.Error(t, err, wrong)
	}
}

func TestCallReadsTheAnswer(t *testing.T) {
	s := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-A", r.Header.Get("User-Agent"))
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte("short"))
	})
	a, err := reach(t, NewClient(loopback()), s.URL)
	require.NoError(t, err)
	require.Equal(t, answer{status: http.StatusTeapot, header: a.header, body: []byte("short")}, a)
	require.Equal(t, "Tandem-Webhooks/1", a.header.Get("X-A"))
}

func TestCallIsRefusedAtTheDial(t *testing.T) {
	s := receiver(t, func(http.ResponseWriter, *http.Request) { t.Error("it was called") })
	_, err := reach(t, NewClient(nil), s.URL)
	require.ErrorIs(t, err, ErrForbiddenAddress)
	require.NotContains(t, err.Error(), "127.0.0.1", "a tenant must not learn where names lead")
	_, err = reach(t, NewClient(nil), strings.Replace(s.URL, "http:", "https:", 1))
	require.ErrorIs(t, err, ErrForbiddenAddress)
	_, err = reach(t, NewClient(nil), "ftp://example.com/")
	require.ErrorIs(t, err, ErrForbiddenAddress)
}

func TestCallFollowsNoRedirectAndNoProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	inner := receiver(t, func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") })
	s := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, inner.URL, http.StatusTemporaryRedirect)
	})
	a, err := reach(t, NewClient(loopback()), s.URL)
	require.NoError(t, err)
	require.Equal(t, http.StatusTemporaryRedirect, a.status)
}

func TestCallVerifiesCertificates(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was called") }))
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	_, err := reach(t, NewClient(loopback()), s.URL)
	require.ErrorContains(t, err, "certificate")
}

func TestCallOfOneThatStreamsWithoutEnd(t *testing.T) {
	ended := make(chan struct{})
	s := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1024)); err != nil {
				return
			}
		}
	})
	a, err := reach(t, NewClient(loopback()), s.URL)
	require.NoError(t, err)
	require.True(t, a.cut)
	require.Len(t, a.body, maxAnswer)
	<-ended
}

func TestCallOfOneThatNeverEndsItsBody(t *testing.T) {
	s := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("ok"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	a, err := reach(t, NewClient(loopback()), s.URL)
	require.NoError(t, err)
	require.Equal(t, answer{status: 200, header: a.header, body: []byte("ok"), cut: true}, a)
}

func TestFaultsAreWordsWithoutTheAddress(t *testing.T) {
	hangs := receiver(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	drops := receiver(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, gone.Close())
	for url, want := range map[string]string{
		hangs.URL + "/secret":                     "no answer in time",
		drops.URL + "/secret":                     "the connection was closed before an answer came",
		"http://" + gone.Addr().String() + "/sec": "connection refused",
	} {
		r, err := http.NewRequest(http.MethodPost, url, strings.NewReader("{}"))
		require.NoError(t, err)
		r.GetBody = nil
		client := NewClient(loopback())
		_, err = call(t.Context(), client, r, 200*time.Millisecond)
		require.EqualError(t, err, want)
		client.CloseIdleConnections()
	}
	require.EqualError(t, fault(&net.DNSError{IsNotFound: true}), "the host's name does not exist")
	require.EqualError(t, fault(&net.DNSError{IsTimeout: true}), "the host's name could not be resolved")
	require.EqualError(t, fault(&net.OpError{Op: "read", Err: syscall.EHOSTUNREACH}), "read failed: no route to host")
	require.EqualError(t, fault(context.Canceled), "context canceled")
}

// What can never be called is refused when it is entered, and not only in the delivery log.
func TestHostsThatAreRefusedWhenEntered(t *testing.T) {
	networks, err := ParseNetworks("10.0.0.0/8")
	require.NoError(t, err)
	for address, private := range map[string][]netip.Prefix{
		"https://ops.example/": nil, "https://ops.example:443/": nil, "https://8.8.8.8/": nil, "https://[2a00:1450:4001::1]/": nil,
		"https://10.1.1.1:9000/": networks, "https://ops.example:9000/": networks, "http://[::ffff:10.1.1.1]/": networks,
	} {
		u, err := url.Parse(address)
		require.NoError(t, err)
		require.NoError(t, CheckHost(u, private), address)
	}
	for _, address := range []string{
		"https://ops.example:22/", "https://ops.example:0/", "https://ops.example:99999/", "https://8.8.8.8:22/", "https://127.0.0.1/",
		"https://169.254.169.254/", "https://[fe80::1%25eth0]/", "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::a00:1]/", "https://10.1.1.1/",
		"https://168.63.129.16/", "https://0.0.0.0/",
	} {
		u, err := url.Parse(address)
		require.NoError(t, err)
		require.Error(t, CheckHost(u, nil), address)
	}
}

// P7: who answers 101 has the connection for itself, which no timeout would end.
func TestCallSwitchesNoProtocols(t *testing.T) {
	hold := make(chan struct{})
	s := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
		<-hold
	})
	defer close(hold)
	done := make(chan answer)
	go func() {
		a, _ := reach(t, NewClient(loopback()), s.URL)
		done <- a
	}()
	select {
	case a := <-done:
		require.Equal(t, http.StatusSwitchingProtocols, a.status)
	case <-time.After(5 * time.Second):
		require.Fail(t, "it is still reading")
	}
}
