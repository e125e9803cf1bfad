package formats_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/webhooks/formats"
)

// A preview contains the whole request except for credentials and signatures.
func TestPreviewShowsNoSecret(t *testing.T) {
	for _, format := range formats.All() {
		target := targets[format.Name()]
		request, body := formatRequest(t, format, testMessage(examples()["event"]), target)
		redacted, err := formats.Preview(format, testMessage(examples()["event"]), target, now)
		require.NoError(t, err)
		require.Equal(t, request.Method, redacted.Method)
		all := redacted.URL + redacted.Body
		for name, values := range redacted.Header {
			all += name + strings.Join(values, " ")
		}
		require.NotContains(t, all, "invented", format.Name())
		require.NotContains(t, all, "7f3a", format.Name())
		if signature := request.Header.Get("webhook-signature"); signature != "" {
			require.NotContains(t, all, strings.TrimPrefix(signature, "v1,"), format.Name())
		}
		require.NotContains(t, all, "aW52ZW50ZWQ", format.Name()) // in base64
		if format.Name() != "feishu" && format.Name() != "lark" {
			require.Equal(t, string(body), redacted.Body, format.Name())
		} else {
			require.Contains(t, redacted.Body, `"sign":"…"`)
		}
	}
}

func TestRedact(t *testing.T) {
	for address, redacted := range map[string]string{
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
		require.Equal(t, redacted, formats.Redact(address))
	}
}
