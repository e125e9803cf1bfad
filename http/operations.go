package http

import (
	"embed"
	"mime"
	"net/http"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tandem/api"
)

// docs contains the files of the documentation page, which loads no other resources.
//
//go:embed docs
var docs embed.FS

// docsPolicy lets the page load its own files and call its own server only. Swagger UI draws some icons from data:
// URLs.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// media is the media type of a response that is not JSON.
type media string

func operationRoutes() []*route {
	ok := []int{http.StatusOK}
	return []*route{
		{
			method: http.MethodGet, operationID: "getCommand", path: "/v1/commands/{id}",
			summary: "The state of a command that was pending when its request was answered",
			callers: "the member who sent the command", visibleTo: commandVisible, responseBody: api.Command{}, handle: computed(getCommand),
			success: []int{http.StatusOK, http.StatusNotModified},
		},
		{
			method: http.MethodGet, operationID: "getStart", path: "/", summary: "The documentation",
			callers: anyone, responseBody: media("text/html"), handle: getDocs, success: ok, anonymous: true,
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
			method: http.MethodGet, operationID: "getDocsFile", path: "/docs/{file}", summary: "A file of the documentation page",
			callers: anyone, responseBody: media("*/*"), handle: getDocsFile, success: ok, anonymous: true,
		},
		{
			method: http.MethodGet, operationID: "isLive", path: "/livez", summary: "Whether the process runs",
			callers: anyone, responseBody: api.Probe{}, handle: getLive, success: ok, anonymous: true, admin: true,
		},
		{
			method: http.MethodGet, operationID: "isReady", path: "/readyz", summary: "Whether the node is ready; 503 with the reason if not",
			callers: anyone, responseBody: api.Probe{}, handle: getReady, success: ok, anonymous: true, admin: true,
		},
		{
			method: http.MethodGet, operationID: "getMetrics", path: "/metrics", summary: "Metrics for Prometheus",
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

// sendDocsFile sends an embedded file.
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
		return unavailable("not_ready", why, nil) // no cause: probes run every second, and the response contains the reason
	}
	return req.writeJSON(http.StatusOK, api.Probe{Status: "ok"})
}

func getMetrics(req *call) error {
	promhttp.HandlerFor(req.cfg.Metrics, promhttp.HandlerOpts{}).ServeHTTP(req.echoCtx.Response(), req.request)
	return nil
}
