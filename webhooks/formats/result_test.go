package formats_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"tandem/webhooks/formats"
)

// FuzzResult passes any response to every format. A success has no reason. A failure has a reason that is one
// printable line. RetryAfter is at most a day.
func FuzzResult(f *testing.F) {
	for _, body := range []string{
		"ok", "", "<html>", "{}", "[]", "null", `{"code":0}`, `{"code":1e99}`, `{"errcode":0}`, `{"errcode":-1,"errmsg":"x\u0000y"}`,
		`{"ok":true}`, `{"ok":false,"error_code":429,"parameters":{"retry_after":1e300}}`, `{"event_id":"$x"}`, `{"result":"success"}`,
		`{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":-5}`, `{"success":false}`, `{"error":{"code":"WorkflowNotFound"}}`,
		`{"id":"` + strings.Repeat("x", 5000) + `"}`, `{"result":"error","code":"\n\n"}`, `{"retry_after":NaN}`, "no_service",
	} {
		for _, status := range []int{200, 202, 204, 302, 400, 404, 410, 413, 429, 500} {
			f.Add(status, "5", body)
		}
	}
	f.Fuzz(func(t *testing.T, status int, after, body string) {
		header := http.Header{"Retry-After": {after}, "X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset-After": {after}}
		for _, format := range formats.All() {
			result := format.Result(status, header, []byte(body), now)
			require.Equal(t, result.OK, result.Reason == "", "%s: %+v", format.Name(), result)
			require.False(t, result.OK && (result.Gone || result.Permanent || result.RateLimited), format.Name())
			require.False(t, result.OK && (status < 200 || status > 299), format.Name())
			require.True(t, result.RetryAfter >= 0 && result.RetryAfter <= 24*time.Hour, "%s: %s", format.Name(), result.RetryAfter)
			require.True(t, utf8.ValidString(result.Reason) && len(result.Reason) < 2000 && !strings.ContainsAny(result.Reason, "\n\r\x00"), "%q", result.Reason)
			if status == http.StatusTooManyRequests && format.Name() != "telegram" {
				require.True(t, result.RateLimited, "%s: %+v", format.Name(), result)
			}
		}
	})
}
