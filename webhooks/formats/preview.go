package formats

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// RedactedRequest is a request with an ellipsis in place of each secret.
type RedactedRequest struct {
	Method string
	URL    string
	Header http.Header
	Body   string
}

// Preview returns the request that a format would send at the given time, without secrets. It makes no call.
func Preview(format Format, message Message, target Target, at time.Time) (RedactedRequest, error) {
	request, err := format.Request(message, target, at)
	if err != nil {
		return RedactedRequest{}, err
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return RedactedRequest{}, err
	}
	return RedactedRequest{request.Method, Redact(request.URL.String()), redactHeaders(request.Header), string(bodySignature.ReplaceAll(body, hiddenSignature))}, nil
}

// bodySignature matches Feishu's signature. In user text, a backslash precedes each quotation mark.
var (
	bodySignature   = regexp.MustCompile(`"sign":"[A-Za-z0-9+/=]+"`)
	hiddenSignature = []byte(`"sign":"…"`)
)

// redactHeaders replaces credentials and signatures.
func redactHeaders(header http.Header) http.Header {
	redacted := header.Clone()
	for _, name := range []string{"Authorization", "Webhook-Signature"} {
		for i, value := range redacted[name] {
			kind, _, _ := strings.Cut(strings.ReplaceAll(value, ",", " "), " ")
			redacted[name][i] = kind + " …"
		}
	}
	return redacted
}
