package http

import (
	"embed"
	"mime"
	"net/http"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tandem/api"
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

func operationRoutes() []*route {
	ok := []int{http.StatusOK}
	return []*route{
		{
			method: http.MethodGet, operationID: "getCommand", path: "/v1/commands/{id}",
			summary: "What became of a write that was answered before its outcome was known",
			callers: "the member who sent the command", visibleTo: commandVisible, responseBody: api.Command{}, handle: computed(getCommand),
			success: []int{http.StatusOK, http.StatusNotModified},
		},
		{
			method: http.MethodGet, operationID: "getDescription", path: "/openapi.json", summary: "This description",
			callers: anyone, responseBody: media("application/json"), handle: getDescription, success: ok, anonymous: true,
		},
		{
			method: http.MethodGet, operationID: "getDocs", path: "/docs", summary: "This description as a page",
			callers: anyone, responseBody: media("text/html"), handle: getDocs, success: ok, anonymous: true,
		},
		{
			method: http.MethodGet, operationID: "getDocsFile", path: "/docs/{file}", summary: "What the page is made of",
			callers: anyone, responseBody: media("*/*"), handle: getDocsFile, success: ok, anonymous: true,
		},
		{
			method: http.MethodGet, operationID: "isLive", path: "/livez", summary: "Whether the process runs",
			callers: anyone, responseBody: api.Probe{}, handle: getLive, success: ok, anonymous: true, admin: true,
		},
		{
			method: http.MethodGet, operationID: "isReady", path: "/readyz", summary: "Whether the node can serve; 503 with the reason if not",
			callers: anyone, responseBody: api.Probe{}, handle: getReady, success: ok, anonymous: true, admin: true,
		},
		{
			method: http.MethodGet, operationID: "getMetrics", path: metricsPath, summary: "Metrics for Prometheus",
			callers: anyone, responseBody: media("text/plain"), handle: getMetrics, success: ok, anonymous: true, admin: true,
		},
	}
}

func getDescription(req *call) error {
	data, err := req.describe()
	if err != nil {
		return err
	}
	req.echoCtx.Response().Header()["Cache-Control"] = []string{"no-cache"}
	req.write(http.StatusOK, jsonType, data)
	return nil
}

func getDocs(req *call) error { return req.sendDocsFile("index.html") }

func getDocsFile(req *call) error { return req.sendDocsFile(req.echoCtx.Param("file")) }

// sendDocsFile sends one of the embedded files.
func (c *call) sendDocsFile(name string) error {
	data, err := docs.ReadFile("docs/" + name)
	if err != nil {
		return errNotFound
	}
	kind := mime.TypeByExtension(filepath.Ext(name))
	if kind == "" {
		kind = "text/plain; charset=utf-8"
	}
	header := c.echoCtx.Response().Header()
	header["Content-Security-Policy"] = []string{docsPolicy}
	header["X-Content-Type-Options"] = []string{"nosniff"}
	header["Referrer-Policy"] = []string{"no-referrer"}
	header["Cache-Control"] = []string{"public, max-age=3600"}
	c.write(http.StatusOK, []string{kind}, data)
	return nil
}

func getLive(req *call) error { return req.writeJSON(http.StatusOK, api.Probe{Status: "ok"}) }

func getReady(req *call) error {
	select {
	case <-req.draining:
		return unavailable("not_ready", "The node is shutting down.", nil)
	default:
	}
	if why := req.readiness(); why != "" {
		return unavailable("not_ready", why, nil) // no cause: a probe comes every second, and the answer says it all
	}
	return req.writeJSON(http.StatusOK, api.Probe{Status: "ok"})
}

func getMetrics(req *call) error {
	promhttp.HandlerFor(req.cfg.Metrics, promhttp.HandlerOpts{}).ServeHTTP(req.echoCtx.Response(), req.request)
	return nil
}
