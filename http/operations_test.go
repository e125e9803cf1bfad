package http

import (
	"errors"
	"net/http"
	"regexp"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/stretchr/testify/require"
)

func TestReadiness(t *testing.T) {
	var fault error
	e := newEdge(t, func(c *Config) { c.Ready = func() error { return fault } })
	require.Equal(t, http.StatusOK, e.get("/readyz").Code)
	fault = errors.New("the log is full")
	w := e.get("/readyz")
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Equal(t, problemType, w.Header()["Content-Type"])
	require.Contains(t, w.Body.String(), "the log is full")
	fault = nil
	require.Equal(t, http.StatusOK, e.get("/readyz").Code)
	e.api.Drain()
	w = e.get("/readyz")
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Contains(t, w.Body.String(), "shutting down")
	require.Equal(t, http.StatusOK, e.get("/livez").Code, "it drains, and lives")
}

var ownFile = regexp.MustCompile(`(?:src|href)="([^"]+)"`)

func TestDocsLoadOnlyOwnFiles(t *testing.T) {
	e := newEdge(t)
	page := e.get("/docs")
	require.Equal(t, http.StatusOK, page.Code)
	require.Equal(t, "text/html; charset=utf-8", page.Header().Get("Content-Type"))
	require.Contains(t, page.Header().Get("Content-Security-Policy"), "default-src 'none'")
	require.NotContains(t, page.Header().Get("Content-Security-Policy"), "unsafe")
	require.NotRegexp(t, `<script>|<style>| style=| on\w+=`, page.Body.String(), "the policy allows nothing inline")
	found := 0
	for _, link := range ownFile.FindAllStringSubmatch(page.Body.String(), -1) {
		if link[1] != "data:," {
			require.Equal(t, http.StatusOK, e.get("/"+link[1]).Code, link[1])
			found++
		}
	}
	require.Equal(t, 4, found)
	require.Equal(t, http.StatusNotFound, e.get("/docs/nothing.js").Code)
	require.Equal(t, http.StatusNotFound, e.get("/docs/..%2fdoc.go").Code)
}

func TestDescriptionIsServed(t *testing.T) {
	e := newEdge(t, func(c *Config) { c.BaseURL = "https://tandem.example" })
	wanted, err := describe("https://tandem.example")
	require.NoError(t, err)
	w := e.get("/openapi.json")
	require.Equal(t, jsonType, w.Header()["Content-Type"])
	require.JSONEq(t, string(wanted), w.Body.String())
}

func TestMetricsTellRoutes(t *testing.T) {
	e := newEdge(t)
	e.get("/v1/partners/nokia")
	e.get("/v1/partners/xiaomi")
	e.get("/nowhere")
	e.do(e.api.Admin(), http.MethodGet, "/livez", "")
	told := e.get("/metrics").Body.String()
	require.Contains(t, told, `tandem_http_requests_total{method="GET",route="/v1/partners/{partner}",status="4xx"} 2`)
	require.Contains(t, told, `tandem_http_requests_total{method="other",route="unrouted",status="4xx"} 1`)
	require.Contains(t, told, `tandem_http_requests_total{method="admin",route="/livez",status="2xx"} 1`)
	require.Contains(t, told, `tandem_http_request_duration_seconds_count{method="GET",route="/v1/partners/{partner}"} 2`)
	require.Contains(t, told, "go_goroutines")
	require.NotContains(t, told, "xiaomi", "nothing of what a path names")
}

func TestMetricsOnTheAdminListener(t *testing.T) {
	e := newEdge(t, func(c *Config) { c.SeparateAdmin = true })
	require.Equal(t, http.StatusNotFound, e.get("/metrics").Code)
	for range 2 { // the second handler shares the first one's counters
		w := e.do(e.api.Admin(), http.MethodGet, "/metrics", "")
		require.Equal(t, http.StatusOK, w.Code)
		require.Contains(t, w.Body.String(), `route="/metrics"`)
	}
	require.Equal(t, http.StatusNotFound, e.do(e.api.Admin(), http.MethodGet, "/v1/me", "").Code)
}

func TestMetricsJoinARegistry(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector())
	_, err := newMetrics(registry)
	require.NoError(t, err, "the general collectors may be there")
	_, err = newMetrics(registry)
	require.ErrorAs(t, err, new(prometheus.AlreadyRegisteredError), "two Servers cannot count into one registry")
}

func TestObserve(t *testing.T) {
	metrics, err := newMetrics(prometheus.NewRegistry())
	require.NoError(t, err)
	counters := metrics.route("GET", "/v1/me")
	require.Zero(t, testing.AllocsPerRun(100, func() { counters.observe(http.StatusOK, 1) }))
	for _, odd := range []int{-1, 0, 999} {
		require.NotPanics(t, func() { counters.observe(odd, 1) })
	}
}

func BenchmarkObserve(b *testing.B) {
	metrics, err := newMetrics(prometheus.NewRegistry())
	require.NoError(b, err)
	counters := metrics.route("GET", "/v1/me")
	b.ReportAllocs()
	for b.Loop() {
		counters.observe(http.StatusOK, 30_000)
	}
}
