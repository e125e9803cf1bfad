package webhooks

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// RedactedRequest is a request as it may be shown: what in it is secret is an ellipsis.
type RedactedRequest struct {
	Method string
	URL    string
	Header http.Header
	Body   string
}

// Preview returns what a format would send at a time.
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

// bodySignature is Feishu's signature. A quotation mark that someone typed would have a backslash before it.
var (
	bodySignature   = regexp.MustCompile(`"sign":"[A-Za-z0-9+/=]+"`)
	hiddenSignature = []byte(`"sign":"…"`)
)

// redactHeaders leaves out what proves who sends.
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

// publicPathWords are the words of addresses that are the same for everybody.
var publicPathWords = []string{
	"api", "open-apis", "cgi-bin", "_matrix", "v1", "v2", "v3", "v10", "client", "hooks", "hook", "services", "webhook",
	"webhooks", "bot", "robot", "send", "rooms", "m.room.message", "sendMessage", "messages", "spaces", "workflows",
	"triggers", "manual", "paths", "invoke",
}

// publicParameters are the parameters whose values are no secrets.
var publicParameters = []string{"wait", "messageReplyOption", "timestamp", "to", "api-version", "message_thread_id"}

// Redact returns an address as it may be shown: chat tools put their secrets into paths and parameters, so of
// those only what is the same for everybody stays.
func Redact(address string) string {
	parsed, err := url.Parse(strings.TrimSpace(address))
	if err != nil || parsed.Host == "" {
		return ellipsis
	}
	var path []string
	for part := range strings.SplitSeq(parsed.EscapedPath(), "/") {
		switch {
		case part == "" || slices.Contains(publicPathWords, part):
			path = append(path, part)
		case len(path) == 0 || path[len(path)-1] != ellipsis:
			path = append(path, ellipsis)
		}
	}
	redacted := parsed.Scheme + "://" + parsed.Host + strings.Join(path, "/")
	mark := "?"
	for parameter := range strings.SplitSeq(parsed.RawQuery, "&") {
		name, _, found := strings.Cut(parameter, "=")
		if parameter == "" {
			continue
		}
		if !found || !slices.Contains(publicParameters, name) {
			parameter = ellipsis
			if found && parameterName.MatchString(name) {
				parameter = name + "=" + ellipsis
			}
		}
		redacted, mark = redacted+mark+parameter, "&"
	}
	return redacted
}

var parameterName = regexp.MustCompile(`^[a-zA-Z_]{1,20}$`)
