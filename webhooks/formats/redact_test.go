package formats

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRedactorHidesSecrets(t *testing.T) {
	const key = "supersecretkey01"
	parsed, err := url.Parse("https://hooks.example/services/T0000001/" + key + "?token=tok-12345678&x=1")
	require.NoError(t, err)
	request := &http.Request{URL: parsed, Header: http.Header{"Authorization": {"Bearer " + key}, "Content-Type": {"text/plain"}, "Webhook-Id": {"id"}}}
	redactor := NewRedactor(Target{URL: parsed.String(), Secrets: []string{"whsec_aaaabbbbcccc"}}, request)
	echo := strings.Join([]string{parsed.String(), parsed.RequestURI(), key, "tok-12345678", "whsec_aaaabbbbcccc", "aaaabbbbcccc", "T0000001"}, " and ")
	require.Equal(t, "… and … and … and … and … and … and …", redactor.Text([]byte(echo)))
	require.Equal(t, map[string]string{"Authorization": "…", "Content-Type": "text/plain", "Webhook-Id": "id"}, redactor.RequestHeaders(request.Header))
	require.Equal(t, map[string]string{"Set-Cookie": "…", "X": "…"}, redactor.ResponseHeaders(http.Header{"Set-Cookie": {"a=b"}, "X": {key}}))
	long := redactor.Text([]byte(strings.Repeat("ä", MaxRedactedBytes)))
	require.Len(t, long, MaxRedactedBytes)
	require.Equal(t, "a�b", redactor.Text([]byte("a\xffb")))
}

// Secrets are redacted in every encoding in which a response may repeat them.
func TestEchoesAreRedacted(t *testing.T) {
	target := Target{URL: "https://chat.example/hooks/T0K%2FEN%20one?key=a%2Bb%2Bc%2Bd%2Be", Secrets: []string{"bot@chat.example:Zulip-Api-Key"}}
	request := httptest.NewRequest(http.MethodPost, target.URL, strings.NewReader(`{"sign":"c2lnbmF0dXJl"}`))
	request.GetBody = nil
	request.SetBasicAuth("bot@chat.example", "Zulip-Api-Key")
	request.Header.Set("Webhook-Signature", "v1,c2lnbmF0dXJl v1,b2xkc2lnbmF0dXJl")
	redactor := NewRedactor(target, request)
	require.Equal(t, "v1,… v1,…", redactor.Text([]byte(request.Header.Get("Webhook-Signature"))))
	echo := `{"url":"https:\/\/chat.example\/hooks\/T0K%2FEN%20one?key=a%2Bb%2Bc%2Bd%2Be","token":"T0K/EN one","json":"T0K\/EN one","key":"a+b+c+d+e",` +
		`"invalid":"Zulip-Api-Key","auth":"` + request.Header.Get("Authorization") + `","twice":"T0K%252FEN%2520one","upper":"https://CHAT.example/hooks/T0K%2fEN%20one"}`
	redacted := redactor.Text([]byte(echo))
	for _, secret := range []string{"T0K", "a%2B", "a+b", "Zulip-Api-Key", strings.TrimPrefix(request.Header.Get("Authorization"), "Basic ")} {
		require.NotContains(t, redacted, secret)
	}
	require.True(t, json.Valid([]byte(redacted)), redacted)

	long := strings.Repeat(target.URL+" ", 3*MaxRedactedBytes/len(target.URL))
	require.NotContains(t, redactor.Text([]byte(long[:2*MaxRedactedBytes])), "T0K", "a secret at the end is incomplete")
}
