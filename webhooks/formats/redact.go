package formats

import (
	"cmp"
	"encoding/json"
	"html"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// MaxRedactedBytes is the length of the longest text that a Redactor returns.
	MaxRedactedBytes = 4 << 10
	// MaxScannedBytes is how many bytes of a body a Redactor needs to see: without its secrets a body is shorter.
	MaxScannedBytes = 8 << 10
)

// Redactor removes the secrets of one target from text. Its elements are the secrets, longest first.
type Redactor []string

// minSecretLength is the length of the shortest part of a URL that counts as a secret.
const minSecretLength = 8

// NewRedactor returns a redactor for the secrets of a target and of a request to it. The request may be nil.
func NewRedactor(target Target, request *http.Request) Redactor {
	secrets := slices.Clone(target.Secrets)
	for _, secret := range target.Secrets {
		secrets = append(secrets, strings.TrimPrefix(secret, "whsec_"))
		if _, key, found := strings.Cut(secret, ":"); found { // a bot's key follows its name
			secrets = append(secrets, key)
		}
	}
	secrets = append(secrets, target.URL)
	if request != nil {
		secrets = append(secrets, request.URL.String(), request.URL.RequestURI(), request.URL.RawQuery)
		for part := range strings.SplitSeq(request.URL.EscapedPath(), "/") {
			plain, _ := url.PathUnescape(part) // empty on error
			secrets = append(secrets, part, plain)
		}
		secrets = append(secrets, strings.FieldsFunc(request.URL.RawQuery, func(char rune) bool { return char == '&' || char == '=' })...)
		for _, values := range request.URL.Query() {
			secrets = append(secrets, values...)
		}
		if _, proof, found := strings.Cut(request.Header.Get("Authorization"), " "); found {
			secrets = append(secrets, proof)
		}
		for signature := range strings.FieldsSeq(request.Header.Get("Webhook-Signature")) {
			secrets = append(secrets, strings.TrimPrefix(signature, "v1,"))
		}
	}
	return encodedForms(secrets)
}

// With returns a redactor that also removes the display names of members, however short they are.
func (r Redactor) With(members []string) Redactor {
	if len(members) == 0 {
		return r
	}
	all := slices.Clone(r)
	for _, name := range members {
		escaped, _ := json.Marshal(name)
		all = append(append(all, strings.Trim(string(escaped), `"`), strings.Trim(strconv.QuoteToASCII(name), `"`)), formsOf(name)...)
	}
	return longestFirst(all)
}

// encodedForms returns the secrets in the encodings in which a response may repeat them, longest first: plain, escaped
// once and twice for URLs, in JSON and in HTML.
func encodedForms(secrets []string) Redactor {
	var forms []string
	for _, secret := range secrets {
		if len(secret) >= minSecretLength && !slices.Contains(publicPathWords, secret) {
			forms = append(forms, formsOf(secret)...)
		}
	}
	return longestFirst(forms)
}

func formsOf(secret string) (forms []string) {
	for _, form := range []string{secret, url.PathEscape(secret), url.QueryEscape(secret), url.PathEscape(url.PathEscape(secret))} {
		forms = append(forms, form, strings.ReplaceAll(form, "/", `\/`), percentEscapes.ReplaceAllStringFunc(form, strings.ToLower),
			html.EscapeString(form), strings.ReplaceAll(form, "&", `\u0026`))
	}
	return forms
}

func longestFirst(forms []string) Redactor {
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) })
	return slices.Compact(forms)
}

var percentEscapes = regexp.MustCompile(`%[0-9A-F]{2}`)

// Text returns the beginning of a text without secrets, as valid UTF-8 of at most MaxRedactedBytes. Only the first
// MaxScannedBytes of the text are needed.
func (r Redactor) Text(body []byte) string {
	text := strings.ToValidUTF8(string(body), "�")
	for _, secret := range r {
		text = strings.ReplaceAll(text, secret, "…")
	}
	if len(body) >= MaxScannedBytes && len(r) > 0 { // the text may end inside a secret
		text = strings.ToValidUTF8(text[:max(0, len(text)-len(r[0]))], "")
	}
	if len(text) <= MaxRedactedBytes {
		return text
	}
	end := MaxRedactedBytes
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// plainHeaders never contain a secret. The values of other request headers are hidden.
var plainHeaders = []string{"Content-Type", "User-Agent", "Webhook-Id", "Webhook-Timestamp"}

// RequestHeaders returns the headers of a request, with an ellipsis for each value that may be secret.
func (r Redactor) RequestHeaders(header http.Header) map[string]string {
	redacted := make(map[string]string, len(header))
	for name, values := range header {
		redacted[name] = "…"
		if slices.Contains(plainHeaders, name) || strings.HasPrefix(name, "Ce-") {
			redacted[name] = r.Text([]byte(strings.Join(values, ", ")))
		}
	}
	return redacted
}

// maxHeaderBytes limits the value of a response header, and maxHeaders their number.
const maxHeaderBytes, maxHeaders = 200, 30

// ResponseHeaders returns the first headers of a response by name, without secrets and cookies.
func (r Redactor) ResponseHeaders(header http.Header) map[string]string {
	redacted := make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(header)) {
		if len(redacted) == maxHeaders {
			break
		}
		value := r.Text([]byte(strings.Join(header[name], ", ")))
		if redacted[name] = strings.ToValidUTF8(value[:min(len(value), maxHeaderBytes)], ""); name == "Set-Cookie" {
			redacted[name] = "…"
		}
	}
	return redacted
}

// RequestBody returns the beginning of the body of a request, without secrets. The request must have a GetBody.
func (r Redactor) RequestBody(request *http.Request) string {
	if request.GetBody == nil {
		return ""
	}
	reader, err := request.GetBody()
	if err != nil {
		return ""
	}
	defer reader.Close()
	body, _ := io.ReadAll(io.LimitReader(reader, MaxScannedBytes))
	return r.Text(bodySignature.ReplaceAll(body, hiddenSignature))
}

// publicPathWords are the path segments that all webhooks of a service share.
var publicPathWords = []string{
	"api", "open-apis", "cgi-bin", "_matrix", "v1", "v2", "v3", "v10", "client", "hooks", "hook", "services", "webhook",
	"webhooks", "bot", "robot", "send", "rooms", "m.room.message", "sendMessage", "messages", "spaces", "workflows",
	"triggers", "manual", "paths", "invoke",
}

// publicParameters are the query parameters whose values are not secret.
var publicParameters = []string{"wait", "messageReplyOption", "timestamp", "to", "api-version", "message_thread_id"}

// Redact returns an address with an ellipsis for every path segment and parameter that may be a secret. Chat services
// put their secrets there.
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

// parameterName matches names that are too short to be a secret.
var parameterName = regexp.MustCompile(`^[a-zA-Z_]{1,20}$`)
