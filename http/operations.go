package http

import (
	"embed"
	"mime"
	"net/http"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// docs is what the documentation page is made of. It loads nothing from anywhere else.
//
//go:embed docs
var docs embed.FS

// docsPolicy lets the page load its own files and ask its own server, and nothing more. Swagger UI
// draws some of its icons from data: URLs.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// media is the answer of a route that does not answer JSON: its media type.
type media string

// Probe is the answer to a probe that found nothing wrong.
type Probe struct {
	Status string `json:"status" enum:"ok"`
}

func operationRoutes() []*route {
	ok := []int{http.StatusOK}
	return []*route{
		{
			method: http.MethodGet, name: "getCommand", path: "/v1/commands/{id}",
			summary: "What became of a write that was answered before its outcome was known",
			callers: "the member who sent the command", sees: seesCommand, answer: Command{}, handle: computes(getCommand),
			success: []int{http.StatusOK, http.StatusNotModified},
		},
		{
			method: http.MethodGet, name: "getDescription", path: "/openapi.json", summary: "This description",
			callers: everybody, answer: media("application/json"), handle: getDescription, success: ok, open: true,
		},
		{
			method: http.MethodGet, name: "getDocs", path: "/docs", summary: "This description as a page",
			callers: everybody, answer: media("text/html"), handle: getDocs, success: ok, open: true,
		},
		{
			method: http.MethodGet, name: "getDocsFile", path: "/docs/{file}", summary: "What the page is made of",
			callers: everybody, answer: media("*/*"), handle: getDocsFile, success: ok, open: true,
		},
		{
			method: http.MethodGet, name: "isLive", path: "/livez", summary: "Whether the process runs",
			callers: everybody, answer: Probe{}, handle: getLive, success: ok, open: true, operations: true,
		},
		{
			method: http.MethodGet, name: "isReady", path: "/readyz", summary: "Whether the node can serve; 503 with the reason if not",
			callers: everybody, answer: Probe{}, handle: getReady, success: ok, open: true, operations: true,
		},
		{
			method: http.MethodGet, name: "getMetrics", path: metricsPath, summary: "Metrics for Prometheus",
			callers: everybody, answer: media("text/plain"), handle: getMetrics, success: ok, open: true, operations: true,
		},
	}
}

func getDescription(q *call) error {
	b, err := q.describe()
	if err != nil {
		return err
	}
	q.c.Response().Header()["Cache-Control"] = []string{"no-cache"}
	q.write(http.StatusOK, jsonType, b)
	return nil
}

func getDocs(q *call) error { return q.doc("index.html") }

func getDocsFile(q *call) error { return q.doc(q.c.Param("file")) }

// doc sends one of the embedded files.
func (q *call) doc(name string) error {
	b, err := docs.ReadFile("docs/" + name)
	if err != nil {
		return errNotFound
	}
	kind := mime.TypeByExtension(filepath.Ext(name))
	if kind == "" {
		kind = "text/plain; charset=utf-8"
	}
	h := q.c.Response().Header()
	h["Content-Security-Policy"] = []string{docsPolicy}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	h["Referrer-Policy"] = []string{"no-referrer"}
	h["Cache-Control"] = []string{"public, max-age=3600"}
	q.write(http.StatusOK, []string{kind}, b)
	return nil
}

func getLive(q *call) error { return q.writeJSON(http.StatusOK, Probe{"ok"}) }

func getReady(q *call) error {
	select {
	case <-q.draining:
		return unavailable("not_ready", "The node is shutting down.", nil)
	default:
	}
	if why := q.readiness(); why != "" {
		return unavailable("not_ready", why, nil) // no cause: a probe comes every second, and the answer says it all
	}
	return q.writeJSON(http.StatusOK, Probe{"ok"})
}

func getMetrics(q *call) error {
	promhttp.HandlerFor(q.Metrics, promhttp.HandlerOpts{}).ServeHTTP(q.c.Response(), q.r)
	return nil
}
