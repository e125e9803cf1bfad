package http

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/stretchr/testify/require"
)

// check compares every response of every test with the promises about all responses and with the API description.
func (a *answer) check() {
	a.t.Helper()
	api := strings.HasPrefix(a.path, "/v1")
	hidden := a.status == http.StatusUnauthorized || a.status == http.StatusNotFound
	if api {
		require.Equal(a.t, !hidden && a.who != "stranger", a.position() != "", "Tandem-Position: %q\n%s", a.position(), a)
	}
	if a.status >= http.StatusBadRequest {
		a.checkProblem()
	}
	if api && a.method == http.MethodGet && (a.status == http.StatusOK || a.status == http.StatusNotModified) {
		require.Regexp(a.t, `^"([1-9]\d*\.)?\d+-[0-9a-f]+"$`, a.etag(), a)
		require.Equal(a.t, "private, no-cache", a.header.Get("Cache-Control"), a)
	}
	if api && (a.status == http.StatusOK || a.status == http.StatusCreated) {
		require.NotEmpty(a.t, a.etag(), a)
		require.Equal(a.t, jsonMedia, a.header.Get("Content-Type"), a)
	}
	if a.status == http.StatusNotModified || a.status == http.StatusNoContent {
		require.Empty(a.t, a.body, a)
	}
	contractOf(a.t).check(a)
}

var codes = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// checkProblem requires RFC 9457 and the additions of the API.
func (a *answer) checkProblem() {
	a.t.Helper()
	require.Equal(a.t, "application/problem+json", a.header.Get("Content-Type"), a)
	require.EqualValues(a.t, a.status, a.get("status"), a)
	require.Regexp(a.t, codes, a.get("code"), a)
	require.NotEmpty(a.t, a.text("type"), a)
	require.NotEmpty(a.t, a.text("title"), a)
	require.NotEmpty(a.t, a.text("detail"), a)
	require.NotEmpty(a.t, a.text("request_id"), a)
	require.Equal(a.t, a.header.Get("X-Request-Id"), a.text("request_id"), a)
	require.Equal(a.t, a.status == http.StatusUnauthorized, a.header.Get("WWW-Authenticate") != "", a)
	require.Equal(a.t, a.status == http.StatusServiceUnavailable || a.status == http.StatusTooManyRequests,
		a.header.Get("Retry-After") != "", a)
	require.Empty(a.t, a.etag(), a)
}
