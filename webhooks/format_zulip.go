package webhooks

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// zulip is a channel of Zulip. The secret is a bot's address and key, and the topic is what the message is filed
// under. Zulip's markdown has no escapes, so what people typed is written with look-alikes.
type zulip struct{}

// Name implements [Format].
func (zulip) Name() string { return "zulip" }

// Limits implements [Format]: 200 a minute.
func (zulip) Limits() Limits { return Limits{Every: 400 * time.Millisecond, Burst: 5, Chat: true} }

// Check implements [Format].
func (f zulip) Check(t Target) error {
	u, err := address(t, f.Name())
	switch {
	case err != nil:
		return err
	case !strings.HasSuffix(u.Path, "/api/v1/messages"):
		return errors.New("the address must be https://your-server/api/v1/messages?to=<channel>")
	case u.Query().Get("to") == "":
		return errors.New("the address does not say the channel: add ?to=<channel>")
	}
	if s := t.secret(); s != "" && !strings.Contains(s, ":") {
		return errors.New("the secret must be the bot's email address, a colon, and its API key")
	}
	return single(t, true, "the bot's email address, a colon, and its API key")
}

// zulipTopic is the length of a topic.
const zulipTopic = 60

// Request implements [Format].
func (f zulip) Request(d Delivery, t Target, _ time.Time) (*http.Request, error) {
	u, err := address(t, f.Name())
	if err != nil {
		return nil, err
	}
	form := url.Values{"type": {"stream"}, "to": {u.Query().Get("to")}}
	w := script{inLookAlikes, countUnits}
	p := w.parts(d.Message, budget{headline: 600, name: 100, value: 1200, line: 400, lines: 3500, each: 3})
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**\n%s", p.Headline, p.status())
	for _, line := range p.Lines {
		b.WriteString("\n• " + line)
	}
	for _, f := range p.Facts {
		fmt.Fprintf(&b, "\n**%s** %s", f.Name, f.Value)
	}
	if p.Link != "" {
		fmt.Fprintf(&b, "\n[%s](%s)", p.LinkText, p.Link)
	}
	form.Set("content", b.String())
	form.Set("topic", script{quiet, countUnits}.write(p.Thread, zulipTopic))
	if form.Get("topic") == "" {
		form.Set("topic", "Tandem")
	}
	u.RawQuery = ""
	r, err := post(http.MethodPost, u.String(), "application/x-www-form-urlencoded", []byte(form.Encode()))
	if err != nil {
		return nil, err
	}
	bot, key, _ := strings.Cut(t.secret(), ":")
	r.SetBasicAuth(bot, key)
	return r, nil
}

var zulipErrors = map[string]verdict{
	"RATE_LIMIT_HIT":        {"too many messages", slow(0)},
	"UNAUTHORIZED":          {"the bot's address or key is wrong", Result{}},
	"INVALID_API_KEY":       {"the bot's key is wrong", Result{}},
	"USER_DEACTIVATED":      {"the bot was deactivated", Result{}},
	"REALM_DEACTIVATED":     {"the organisation was deactivated", gone},
	"STREAM_DOES_NOT_EXIST": {"the channel does not exist", Result{}},
}

// Result implements [Format].
func (zulip) Result(status int, header http.Header, body []byte, now time.Time) Result {
	r := answered("Zulip", status, header, body, now)
	var said struct {
		Result, Code, Msg string
		RetryAfter        float64 `json:"retry-after"`
	}
	switch known(body, &said); {
	case r.OK && said.Result == "success":
		return r
	case said.Result == "error":
		r.After = max(r.After, wait(said.RetryAfter))
		r = refused("Zulip", said.Code, said.Msg, zulipErrors, r)
		r.Never = r.Never || strings.Contains(strings.ToLower(said.Msg), "too long")
	case r.OK:
		return Result{Reason: reason("Zulip", "200", "without a result: this is no server of Zulip", excerpt(body))}
	}
	return r
}
