package http

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"tandem/bus"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
)

// faultyBus is a Commander that always fails.
type faultyBus struct {
	result bus.Result
	err    error
}

func (b *faultyBus) Do(context.Context, bus.Request) (bus.Result, error) {
	if b.err == nil && b.result.Rejection == nil {
		panic("the cause is nobody's business")
	}
	return b.result, b.err
}

func (b *faultyBus) Lookup(eventlog.CommandID) (bus.Result, bool) { return bus.Result{}, false }

// TestFaults lets commands fail in every way. The response states the failure and the next step; the logger has the
// cause under the request id.
func TestFaults(t *testing.T) {
	const cause = "the cause is nobody's business"
	b := &faultyBus{}
	var logged bytes.Buffer
	e := newEnv(t, func(c *Config) { c.Commands, c.Logger = b, slog.New(slog.NewTextHandler(&logged, nil)) })
	for _, c := range []struct {
		name   string
		broken faultyBus
		status int
		code   string
		logs   bool
	}{
		{"panic", faultyBus{}, 500, "internal", true},
		{"unknown error", faultyBus{err: errors.New(cause)}, 500, "internal", true},
		{"fault of the owner", faultyBus{result: bus.Result{Rejection: &domain.Error{Kind: domain.Internal, Code: "internal", Detail: cause}}}, 500, "internal", true},
		{"unknown outcome", faultyBus{err: errors.Join(bus.ErrOutcomeUnknown, errors.New(cause))}, 503, "outcome_unknown", true},
		{"unavailable", faultyBus{err: errors.Join(bus.ErrUnavailable, errors.New(cause))}, 503, "unavailable", true},
		{"unreadable log", faultyBus{err: errors.Join(projections.ErrUnreadable, errors.New(cause))}, 503, "log_unreachable", true},
		{"key reused", faultyBus{err: bus.ErrKeyReused}, 422, "idempotency_key_reused", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			*b = c.broken
			logged.Reset()
			a := e.As("operator").POST("/v1/partners", object{"id": "sony", "name": "Sony", "country": "JP", "time_zone": "Asia/Tokyo"})
			a.Refused(c.status, c.code)
			require.NotContains(t, a.told(), cause)
			require.NotContains(t, a.told(), ".go")
			if c.logs {
				require.Contains(t, logged.String(), cause)
				require.Contains(t, logged.String(), a.text("request_id"))
			}
		})
	}
	known := e.As("operator").With("X-Request-Id", "my-own.id:1").GET("/v1/partners/nothing").Want(404)
	require.Equal(t, "my-own.id:1", known.text("request_id"))
	forged := e.As("operator").With("X-Request-Id", `a"b c`).GET("/v1/partners/nothing").Want(404)
	require.Regexp(t, `^[0-9a-f]{24}$`, forged.text("request_id"))
}

// TestBackdating checks that a context with another time is refused after loading.
func TestBackdating(t *testing.T) {
	e := newEnv(t)
	body := `{"id":"sony","name":"Sony","country":"JP","time_zone":"Asia/Tokyo"}`
	r := httptest.NewRequest(http.MethodPost, "/v1/partners", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+operatorSecret)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	e.api.Handler().ServeHTTP(w, r.WithContext(WithRecordedAt(r.Context(), e.clock.Now().Add(-time.Hour))))
	require.Equal(t, 403, w.Code, w.Body)
	require.Contains(t, w.Body.String(), `"backdated"`)
	e.As("operator").GET("/v1/partners/sony").Refused(404, "not_found")
}

// TestOperations reads the operator's routes on one listener and on two.
func TestOperations(t *testing.T) {
	var fault error
	e := newEnv(t, func(c *Config) { c.Ready = func() error { return fault } })
	nobody := e.As("nobody")
	require.Equal(t, "ok", nobody.GET("/livez").Want(200).get("status"))
	require.Equal(t, "ok", nobody.GET("/readyz").Want(200).get("status"))
	fault = errors.New("the disk is full")
	require.Contains(t, nobody.GET("/readyz").Refused(503, "not_ready").text("detail"), "the disk is full")
	nobody.GET("/livez").Want(200)
	nobody.GET("/v1/me").Want(401)
	counted := string(nobody.GET("/metrics").Want(200).body)
	require.Contains(t, counted, `tandem_http_requests_total{method="GET",route="/livez",status="2xx"} 2`)
	require.Contains(t, counted, `tandem_http_requests_total{method="GET",route="/v1/me",status="4xx"} 1`)
	described := nobody.GET("/openapi.json").Want(200)
	require.Equal(t, "3.1.0", described.get("openapi"))
	page := nobody.GET("/docs").Want(200)
	require.Contains(t, page.header.Get("Content-Security-Policy"), "default-src 'none'")
	require.NotRegexp(t, `(src|href)="(https?:)?//`, string(page.body))
	nobody.GET("/docs/swagger-ui.css").Want(200)
	nobody.GET("/docs/..%2Foperations.go").Refused(404, "not_found")
}

func TestSeparateAdmin(t *testing.T) {
	e := newEnv(t, func(c *Config) { c.SeparateAdmin, c.Metrics = true, prometheus.NewRegistry() })
	e.As("nobody").GET("/metrics").Want(404)
	admin := httptest.NewServer(e.api.Admin())
	defer admin.Close()
	for path, status := range map[string]int{"/metrics": 200, "/livez": 200, "/readyz": 200, "/v1/me": 401, "/docs": 404} {
		resp, err := e.client.Get(admin.URL + path)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, status, resp.StatusCode, path)
	}
}

// TestConfig checks that all errors of a configuration are reported at once.
func TestConfig(t *testing.T) {
	_, err := New(Config{InstallationKey: []byte("short"), BaseURL: "http://tandem.example/"})
	require.ErrorContains(t, err, "the configuration needs Commands and ReadModel")
	require.ErrorContains(t, err, "5 bytes")
	require.ErrorContains(t, err, "ends with a slash")
}
