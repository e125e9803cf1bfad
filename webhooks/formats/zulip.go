package formats

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// zulip is a channel of Zulip. The secret is a bot's email address and API key. The topic is the thread of the message.
// Zulip's Markdown has no escapes, so user text is written with look-alikes.
type zulip struct{}

// Name implements [Format].
func (zulip) Name() string { return "zulip" }

// Limits implements [Format]. Zulip accepts 200 messages a minute.
func (zulip) Limits() Limits { return Limits{Every: 400 * time.Millisecond, Burst: 5, Chat: true} }

// Check implements [Format].
func (f zulip) Check(target Target) error {
	parsed, err := parseAddress(target, f.Name())
	switch {
	case err != nil:
		return err
	case !strings.HasSuffix(parsed.Path, "/api/v1/messages"):
		return errors.New("the address must be https://your-server/api/v1/messages?to=<channel>")
	case parsed.Query().Get("to") == "":
		return errors.New("the address has no channel: add ?to=<channel>")
	}
	if secret := target.currentSecret(); secret != "" && !strings.Contains(secret, ":") {
		return errors.New("the secret must be the bot's email address, a colon, and its API key")
	}
	return requireSecret(target, "the bot's email address, a colon, and its API key")
}

// zulipTopic is the maximum length of a topic.
const zulipTopic = 60

// Request implements [Format].
func (f zulip) Request(message Message, target Target, _ time.Time) (*http.Request, error) {
	parsed, err := parseAddress(target, f.Name())
	if err != nil {
		return nil, err
	}
	form := url.Values{"type": {"stream"}, "to": {parsed.Query().Get("to")}}
	rules := textRules{useLookAlikes, utf16Length}
	layout := rules.layout(message.Content, textLimits{headline: 600, name: 100, value: 1200, line: 400, allLines: 3500, perLine: 3})
	var text strings.Builder
	fmt.Fprintf(&text, "**%s**\n%s", layout.Headline, layout.status())
	for _, line := range layout.Lines {
		text.WriteString("\n• " + line)
	}
	for _, fact := range layout.Facts {
		fmt.Fprintf(&text, "\n**%s** %s", fact.Name, fact.Value)
	}
	if layout.Link != "" {
		fmt.Fprintf(&text, "\n[%s](%s)", layout.LinkText, layout.Link)
	}
	form.Set("content", text.String())
	form.Set("topic", textRules{escapeMentions, utf16Length}.render(layout.Thread, zulipTopic))
	if form.Get("topic") == "" {
		form.Set("topic", "Tandem")
	}
	parsed.RawQuery = ""
	request, err := newRequest(http.MethodPost, parsed.String(), "application/x-www-form-urlencoded", []byte(form.Encode()))
	if err != nil {
		return nil, err
	}
	bot, key, _ := strings.Cut(target.currentSecret(), ":")
	request.SetBasicAuth(bot, key)
	return request, nil
}

var zulipErrors = map[string]codeMeaning{
	"RATE_LIMIT_HIT":        {"too many messages", rateLimitedFor(0)},
	"UNAUTHORIZED":          {"the bot's email address or API key is wrong", Result{}},
	"INVALID_API_KEY":       {"the bot's API key is wrong", Result{}},
	"USER_DEACTIVATED":      {"the bot was deactivated", Result{}},
	"REALM_DEACTIVATED":     {"the organisation was deactivated", endpointGone},
	"STREAM_DOES_NOT_EXIST": {"the channel does not exist", Result{}},
}

// Result implements [Format].
func (zulip) Result(status int, header http.Header, body []byte, now time.Time) Result {
	result := httpResult("Zulip", status, header, body, now)
	var response struct {
		Result, Code, Msg string
		RetryAfter        float64 `json:"retry-after"`
	}
	switch tryJSON(body, &response); {
	case result.OK && response.Result == "success":
		return result
	case response.Result == "error":
		result.RetryAfter = max(result.RetryAfter, boundedSeconds(response.RetryAfter))
		result = codeResult("Zulip", response.Code, response.Msg, zulipErrors, result)
		result.Permanent = result.Permanent || strings.Contains(strings.ToLower(response.Msg), "too long")
	case result.OK:
		return Result{Reason: formatReason("Zulip", "200", "no result in the response: this is not a Zulip server", excerpt(body))}
	}
	return result
}
