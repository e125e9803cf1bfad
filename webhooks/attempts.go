package webhooks

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
)

// AttemptHistorySize is how many attempts per webhook are kept.
const AttemptHistorySize = 50

// maxStoredBody is how much of a body is kept, in bytes, and maxRead of how much of it: without its secrets it is shorter.
const maxStoredBody, maxScannedBody = 4 << 10, 8 << 10

// Attempt is one try to deliver something, as the delivery log keeps it. Nothing in it is secret.
type Attempt struct {
	Sequence  int           `json:"sequence"` // of the webhook's attempts, from 1
	MessageID string        `json:"delivery"` // the stable id: the event's, where it is about one
	Type      string        `json:"type"`
	Number    int           `json:"number"` // of the attempts at this delivery, from 1
	StartedAt time.Time     `json:"started_at"`
	Duration  time.Duration `json:"duration"`
	OK        bool          `json:"ok"`
	Status    int           `json:"status,omitempty"` // 0: there was no answer
	Reason    string        `json:"reason,omitempty"` // why it failed, for a person
	Note      string        `json:"note,omitempty"`
	NextAt    time.Time     `json:"next_at,omitzero"` // when it is tried again; zero: it is not

	Method          string            `json:"method,omitempty"`
	URL             string            `json:"url,omitempty"`
	RequestHeaders  map[string]string `json:"request_headers,omitempty"`
	RequestBody     string            `json:"request_body,omitempty"`
	ResponseHeaders map[string]string `json:"response_headers,omitempty"`
	ResponseBody    string            `json:"response_body,omitempty"`

	Events []string `json:"events,omitempty"` // positions of what it is about

	fillDetails func(*Attempt) // fills in what was sent and answered; most attempts of a busy lane are never kept
}

func laneKey(ref domain.WebhookRef) string {
	return lanePrefix + string(ref.Partner) + "/" + string(ref.Webhook)
}

func attemptPrefix(ref domain.WebhookRef) string {
	return "webhook-attempt/" + string(ref.Partner) + "/" + string(ref.Webhook) + "/"
}

const lanePrefix = "webhook-lane/"

// kvEntry returns the entry that keeps an attempt, in place of the one that is KeptAttempts older.
func (a *Attempt) kvEntry(ref domain.WebhookRef) eventlog.KV {
	if a.fillDetails != nil {
		a.fillDetails(a)
	}
	value, err := json.Marshal(a)
	if err != nil {
		panic(err) // strings, numbers and times always marshal
	}
	return eventlog.KV{Key: fmt.Sprintf("%s%02d", attemptPrefix(ref), a.Sequence%AttemptHistorySize), Value: value}
}

// ReadAttempts returns the last attempts to deliver to a webhook, the latest first, as far as they are kept: what
// was tried in the last moments before a crash may be missing. Any node can read them.
func ReadAttempts(ctx context.Context, log eventlog.Log, ref domain.WebhookRef) ([]Attempt, error) {
	entries, err := log.Scan(ctx, projections.DirectoryOf(ref.Partner), attemptPrefix(ref))
	if err != nil {
		return nil, fmt.Errorf("read the delivery log: %w", err)
	}
	attempts := make([]Attempt, 0, len(entries))
	for _, kv := range entries {
		var attempt Attempt
		if err := json.Unmarshal(kv.Value, &attempt); err != nil {
			continue // the rest tells what it can
		}
		attempts = append(attempts, attempt)
	}
	slices.SortFunc(attempts, func(attempt, other Attempt) int { return other.Sequence - attempt.Sequence })
	return attempts, nil
}

// DeliveryStatus is how the deliveries to a webhook stand.
type DeliveryStatus struct {
	Sent          uint64    `json:"delivered"` // deliveries that were taken
	Failed        uint64    `json:"failed"`    // attempts that were not
	Behind        uint64    `json:"behind"`    // events that the partner may see and the lane has not reached, wanted or not
	Skipped       int       `json:"aside"`     // events that failed and are tried again beside the others
	FailingSince  time.Time `json:"failing,omitzero"`
	NextAttemptAt time.Time `json:"next,omitzero"` // when it is tried again; zero: at once, when there is something
}

// ReadStatus returns how a webhook stands, as of what its lane kept last. Any node can read it.
func ReadStatus(ctx context.Context, log eventlog.Log, readModel ReadModel, webhook *domain.Webhook) (DeliveryStatus, error) {
	value, err := log.Get(ctx, projections.DirectoryOf(webhook.Ref.Partner), laneKey(webhook.Ref))
	if err != nil {
		return DeliveryStatus{}, fmt.Errorf("read how webhook %s stands: %w", webhook.Ref.Webhook, err)
	}
	state := readLaneState(value)
	return state.status(readModel, webhook), nil
}

// redactor removes what is secret from texts that are kept.
type redactor []string // what is secret, the longest first

// minSecretLength is the length below which a part of an address is no secret, but a word.
const minSecretLength = 8

func newRedactor(target Target, request *http.Request) redactor {
	secrets := slices.Clone(target.Secrets)
	for _, secret := range target.Secrets {
		secrets = append(secrets, strings.TrimPrefix(secret, "whsec_"))
		if _, key, found := strings.Cut(secret, ":"); found { // a bot's, behind its name
			secrets = append(secrets, key)
		}
	}
	secrets = append(secrets, target.URL)
	if request != nil {
		secrets = append(secrets, request.URL.String(), request.URL.RequestURI(), request.URL.RawQuery)
		for part := range strings.SplitSeq(request.URL.EscapedPath(), "/") {
			plain, _ := url.PathUnescape(part) // empty if it cannot be
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

// encodedForms returns secrets as an endpoint may say them again, the longest first: in an address, once and twice
// escaped, in JSON and in HTML.
func encodedForms(secrets []string) redactor {
	forms := map[string]struct{}{}
	for _, secret := range secrets {
		if len(secret) < minSecretLength || slices.Contains(publicPathWords, secret) {
			continue
		}
		for _, form := range []string{secret, url.PathEscape(secret), url.QueryEscape(secret), url.PathEscape(url.PathEscape(secret))} {
			forms[form] = struct{}{}
			forms[strings.ReplaceAll(form, "/", `\/`)] = struct{}{}
			forms[percentEscapes.ReplaceAllStringFunc(form, strings.ToLower)] = struct{}{}
			forms[html.EscapeString(form)] = struct{}{}
			forms[strings.ReplaceAll(form, "&", `\u0026`)] = struct{}{}
		}
	}
	return slices.SortedFunc(maps.Keys(forms), func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) })
}

var percentEscapes = regexp.MustCompile(`%[0-9A-F]{2}`)

// text returns the beginning of a text without secrets, as valid UTF-8.
func (r redactor) text(body []byte) string {
	text := strings.ToValidUTF8(string(body), "�")
	for _, secret := range r {
		text = strings.ReplaceAll(text, secret, "…")
	}
	if len(body) >= maxScannedBody && len(r) > 0 { // its end may be the beginning of a secret
		text = strings.ToValidUTF8(text[:max(0, len(text)-len(r[0]))], "")
	}
	if len(text) <= maxStoredBody {
		return text
	}
	end := maxStoredBody
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// plainHeaders are kept as they are: they say nothing secret. Of all others only the name is.
var plainHeaders = []string{"Content-Type", "User-Agent", "Webhook-Id", "Webhook-Timestamp"}

func (r redactor) requestHeaders(header http.Header) map[string]string {
	redacted := make(map[string]string, len(header))
	for name, values := range header {
		redacted[name] = "…"
		if slices.Contains(plainHeaders, name) || strings.HasPrefix(name, "Ce-") {
			redacted[name] = r.text([]byte(strings.Join(values, ", ")))
		}
	}
	return redacted
}

// maxHeader is how much of an answer's header is kept, and maxHeaders how many.
const maxHeader, maxHeaders = 200, 30

// responseHeaders returns an answer's headers. Cookies are a secret of the receiver's.
func (r redactor) responseHeaders(header http.Header) map[string]string {
	redacted := make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(header)) {
		if len(redacted) == maxHeaders {
			break
		}
		value := r.text([]byte(strings.Join(header[name], ", ")))
		if redacted[name] = strings.ToValidUTF8(value[:min(len(value), maxHeader)], ""); name == "Set-Cookie" {
			redacted[name] = "…"
		}
	}
	return redacted
}

// requestBody returns the body of a request that is not sent yet.
func requestBody(request *http.Request) []byte {
	if request.GetBody == nil {
		return nil
	}
	body, err := request.GetBody()
	if err != nil {
		return nil
	}
	defer body.Close()
	content, _ := io.ReadAll(io.LimitReader(body, maxScannedBody))
	return content
}
