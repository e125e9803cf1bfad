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

// KeptAttempts is how many attempts per webhook are kept.
const KeptAttempts = 50

// maxShown is how much of a body is kept, in bytes, and maxRead of how much of it: without its secrets it is shorter.
const maxShown, maxRead = 4 << 10, 8 << 10

// Attempt is one try to deliver something, as the delivery log keeps it. Nothing in it is secret.
type Attempt struct {
	Sequence  int           `json:"sequence"` // of the webhook's attempts, from 1
	Delivery  string        `json:"delivery"` // the stable id: the event's, where it is about one
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

	details func(*Attempt) // fills in what was sent and answered; most attempts of a busy lane are never kept
}

func laneKey(ref domain.WebhookRef) string {
	return lanePrefix + string(ref.Partner) + "/" + string(ref.Webhook)
}

func attemptPrefix(ref domain.WebhookRef) string {
	return "webhook-attempt/" + string(ref.Partner) + "/" + string(ref.Webhook) + "/"
}

const lanePrefix = "webhook-lane/"

// put returns the entry that keeps an attempt, in place of the one that is KeptAttempts older.
func (a *Attempt) put(ref domain.WebhookRef) eventlog.KV {
	if a.details != nil {
		a.details(a)
	}
	value, err := json.Marshal(a)
	if err != nil {
		panic(err) // strings, numbers and times always marshal
	}
	return eventlog.KV{Key: fmt.Sprintf("%s%02d", attemptPrefix(ref), a.Sequence%KeptAttempts), Value: value}
}

// Attempts returns the last attempts to deliver to a webhook, the latest first, as far as they are kept: what
// was tried in the last moments before a crash may be missing. Any node can read them.
func Attempts(ctx context.Context, log eventlog.Log, ref domain.WebhookRef) ([]Attempt, error) {
	entries, err := log.Scan(ctx, projections.DirectoryOf(ref.Partner), attemptPrefix(ref))
	if err != nil {
		return nil, fmt.Errorf("read the delivery log: %w", err)
	}
	attempts := make([]Attempt, 0, len(entries))
	for _, kv := range entries {
		var a Attempt
		if err := json.Unmarshal(kv.Value, &a); err != nil {
			continue // the rest tells what it can
		}
		attempts = append(attempts, a)
	}
	slices.SortFunc(attempts, func(a, b Attempt) int { return b.Sequence - a.Sequence })
	return attempts, nil
}

// Standing is how the deliveries to a webhook stand.
type Standing struct {
	Delivered uint64    `json:"delivered"` // deliveries that were taken
	Failed    uint64    `json:"failed"`    // attempts that were not
	Behind    uint64    `json:"behind"`    // events that the partner may see and the lane has not reached, wanted or not
	Aside     int       `json:"aside"`     // events that failed and are tried again beside the others
	Failing   time.Time `json:"failing,omitzero"`
	Next      time.Time `json:"next,omitzero"` // when it is tried again; zero: at once, when there is something
}

// StandingOf returns how a webhook stands, as of what its lane kept last. Any node can read it.
func StandingOf(ctx context.Context, log eventlog.Log, image Image, w *domain.Webhook) (Standing, error) {
	value, err := log.Get(ctx, projections.DirectoryOf(w.Ref.Partner), laneKey(w.Ref))
	if err != nil {
		return Standing{}, fmt.Errorf("read how webhook %s stands: %w", w.Ref.Webhook, err)
	}
	r := readRecord(value)
	return r.standing(image, w), nil
}

// redactor removes what is secret from texts that are kept.
type redactor []string // what is secret, the longest first

// minSecret is the length below which a part of an address is no secret, but a word.
const minSecret = 8

func newRedactor(t Target, r *http.Request) redactor {
	secret := slices.Clone(t.Secrets)
	for _, s := range t.Secrets {
		secret = append(secret, strings.TrimPrefix(s, "whsec_"))
		if _, key, found := strings.Cut(s, ":"); found { // a bot's, behind its name
			secret = append(secret, key)
		}
	}
	secret = append(secret, t.URL)
	if r != nil {
		secret = append(secret, r.URL.String(), r.URL.RequestURI(), r.URL.RawQuery)
		for part := range strings.SplitSeq(r.URL.EscapedPath(), "/") {
			plain, _ := url.PathUnescape(part) // empty if it cannot be
			secret = append(secret, part, plain)
		}
		secret = append(secret, strings.FieldsFunc(r.URL.RawQuery, func(r rune) bool { return r == '&' || r == '=' })...)
		for _, values := range r.URL.Query() {
			secret = append(secret, values...)
		}
		if _, proof, found := strings.Cut(r.Header.Get("Authorization"), " "); found {
			secret = append(secret, proof)
		}
		for signature := range strings.FieldsSeq(r.Header.Get("Webhook-Signature")) {
			secret = append(secret, strings.TrimPrefix(signature, "v1,"))
		}
	}
	return everyForm(secret)
}

// everyForm returns secrets as an endpoint may say them again, the longest first: in an address, once and twice
// escaped, in JSON and in HTML.
func everyForm(secret []string) redactor {
	forms := map[string]struct{}{}
	for _, s := range secret {
		if len(s) < minSecret || slices.Contains(harmless, s) {
			continue
		}
		for _, form := range []string{s, url.PathEscape(s), url.QueryEscape(s), url.PathEscape(url.PathEscape(s))} {
			forms[form] = struct{}{}
			forms[strings.ReplaceAll(form, "/", `\/`)] = struct{}{}
			forms[escapes.ReplaceAllStringFunc(form, strings.ToLower)] = struct{}{}
			forms[html.EscapeString(form)] = struct{}{}
			forms[strings.ReplaceAll(form, "&", `\u0026`)] = struct{}{}
		}
	}
	return slices.SortedFunc(maps.Keys(forms), func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) })
}

var escapes = regexp.MustCompile(`%[0-9A-F]{2}`)

// text returns the beginning of a text without secrets, as valid UTF-8.
func (d redactor) text(b []byte) string {
	s := strings.ToValidUTF8(string(b), "�")
	for _, secret := range d {
		s = strings.ReplaceAll(s, secret, "…")
	}
	if len(b) >= maxRead && len(d) > 0 { // its end may be the beginning of a secret
		s = strings.ToValidUTF8(s[:max(0, len(s)-len(d[0]))], "")
	}
	if len(s) <= maxShown {
		return s
	}
	end := maxShown
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// shownHeaders are kept as they are: they say nothing secret. Of all others only the name is.
var shownHeaders = []string{"Content-Type", "User-Agent", "Webhook-Id", "Webhook-Timestamp"}

func (d redactor) headers(h http.Header) map[string]string {
	shown := make(map[string]string, len(h))
	for name, values := range h {
		shown[name] = "…"
		if slices.Contains(shownHeaders, name) || strings.HasPrefix(name, "Ce-") {
			shown[name] = d.text([]byte(strings.Join(values, ", ")))
		}
	}
	return shown
}

// maxHeader is how much of an answer's header is kept, and maxHeaders how many.
const maxHeader, maxHeaders = 200, 30

// answered returns an answer's headers. Cookies are a secret of the receiver's.
func (d redactor) answered(h http.Header) map[string]string {
	shown := make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if len(shown) == maxHeaders {
			break
		}
		value := d.text([]byte(strings.Join(h[name], ", ")))
		if shown[name] = strings.ToValidUTF8(value[:min(len(value), maxHeader)], ""); name == "Set-Cookie" {
			shown[name] = "…"
		}
	}
	return shown
}

// bodyOf returns the body of a request that is not sent yet.
func bodyOf(r *http.Request) []byte {
	if r.GetBody == nil {
		return nil
	}
	body, err := r.GetBody()
	if err != nil {
		return nil
	}
	defer body.Close()
	b, _ := io.ReadAll(io.LimitReader(body, maxRead))
	return b
}
