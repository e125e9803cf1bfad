package webhooks_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/webhooks"
)

// Whatever proves who sends is in no preview of any format; the rest of the request is.
func TestPreviewShowsNoSecret(t *testing.T) {
	for _, f := range webhooks.Formats() {
		to := targets[f.Name()]
		r, body := sent(t, f, delivery(examples()["event"]), to)
		shown, err := webhooks.Preview(f, delivery(examples()["event"]), to, now)
		require.NoError(t, err)
		require.Equal(t, r.Method, shown.Method)
		all := shown.URL + shown.Body
		for name, values := range shown.Header {
			all += name + strings.Join(values, " ")
		}
		require.NotContains(t, all, "invented", f.Name())
		require.NotContains(t, all, "7f3a", f.Name())
		if signature := r.Header.Get("webhook-signature"); signature != "" {
			require.NotContains(t, all, strings.TrimPrefix(signature, "v1,"), f.Name())
		}
		require.NotContains(t, all, "aW52ZW50ZWQ", f.Name()) // in base64
		if f.Name() != "feishu" && f.Name() != "lark" {
			require.Equal(t, string(body), shown.Body, f.Name())
		} else {
			require.Contains(t, shown.Body, `"sign":"…"`)
		}
	}
}

func TestRedact(t *testing.T) {
	for address, shown := range map[string]string{
		"https://hooks.slack.com/services/T00/B00/xyz":                           "https://hooks.slack.com/services/…",
		"https://discord.com/api/webhooks/1/xyz?wait=true":                       "https://discord.com/api/webhooks/…?wait=true",
		"https://oapi.dingtalk.com/robot/send?access_token=x&timestamp=1&sign=a": "https://oapi.dingtalk.com/robot/send?access_token=…&timestamp=1&sign=…",
		"https://example.com/?secretsecretsecret":                                "https://example.com/?…",
		"https://example.com/%2e%2e/x":                                           "https://example.com/…",
		"https://api.telegram.org/bot1:x/sendMessage?chat_id=-1":                 "https://api.telegram.org/…/sendMessage?chat_id=…",
		"https://example.com":                                                    "https://example.com",
		"nonsense":                                                               "…",
		"https://u:p@example.com/x":                                              "https://example.com/…",
	} {
		require.Equal(t, shown, webhooks.Redact(address))
	}
}
