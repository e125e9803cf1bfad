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

// Shown is a request as it may be shown: what in it is secret is an ellipsis.
type Shown struct {
	Method string
	URL    string
	Header http.Header
	Body   string
}

// Preview returns what a format would send at a time.
func Preview(f Format, d Delivery, t Target, at time.Time) (Shown, error) {
	r, err := f.Request(d, t, at)
	if err != nil {
		return Shown{}, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return Shown{}, err
	}
	return Shown{r.Method, Redact(r.URL.String()), redactHeader(r.Header), string(signInBody.ReplaceAll(body, hiddenSign))}, nil
}

// signInBody is Feishu's signature. A quotation mark that someone typed would have a backslash before it.
var (
	signInBody = regexp.MustCompile(`"sign":"[A-Za-z0-9+/=]+"`)
	hiddenSign = []byte(`"sign":"…"`)
)

// redactHeader leaves out what proves who sends.
func redactHeader(h http.Header) http.Header {
	shown := h.Clone()
	for _, name := range []string{"Authorization", "Webhook-Signature"} {
		for i, v := range shown[name] {
			kind, _, _ := strings.Cut(strings.ReplaceAll(v, ",", " "), " ")
			shown[name][i] = kind + " …"
		}
	}
	return shown
}

// harmless are the words of addresses that are the same for everybody.
var harmless = []string{
	"api", "open-apis", "cgi-bin", "_matrix", "v1", "v2", "v3", "v10", "client", "hooks", "hook", "services", "webhook",
	"webhooks", "bot", "robot", "send", "rooms", "m.room.message", "sendMessage", "messages", "spaces", "workflows",
	"triggers", "manual", "paths", "invoke",
}

// open are the parameters whose values are no secrets.
var open = []string{"wait", "messageReplyOption", "timestamp", "to", "api-version", "message_thread_id"}

// Redact returns an address as it may be shown: chat tools put their secrets into paths and parameters, so of
// those only what is the same for everybody stays.
func Redact(address string) string {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Host == "" {
		return ellipsis
	}
	var path []string
	for part := range strings.SplitSeq(u.EscapedPath(), "/") {
		switch {
		case part == "" || slices.Contains(harmless, part):
			path = append(path, part)
		case len(path) == 0 || path[len(path)-1] != ellipsis:
			path = append(path, ellipsis)
		}
	}
	shown := u.Scheme + "://" + u.Host + strings.Join(path, "/")
	mark := "?"
	for parameter := range strings.SplitSeq(u.RawQuery, "&") {
		name, _, found := strings.Cut(parameter, "=")
		if parameter == "" {
			continue
		}
		if !found || !slices.Contains(open, name) {
			parameter = ellipsis
			if found && shortName.MatchString(name) {
				parameter = name + "=" + ellipsis
			}
		}
		shown, mark = shown+mark+parameter, "&"
	}
	return shown
}

var shortName = regexp.MustCompile(`^[a-zA-Z_]{1,20}$`)
