package formats

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

// slack is an incoming webhook of Slack. All texts are plain_text objects, which have no markup; & < > are escaped,
// so that <!channel> is not a mention. Facts have two columns: names and values.
type slack struct{}

// Name implements [Format].
func (slack) Name() string { return "slack" }

// Limits implements [Format].
func (slack) Limits() Limits { return Limits{Every: time.Second, Burst: 3, Chat: true} }

// Check implements [Format].
func (f slack) Check(target Target) error {
	parsed, err := parseAddress(target, f.Name())
	if err != nil {
		return err
	}
	if parsed.Path == "" || parsed.Path == "/" || strings.HasPrefix(parsed.Path, "/api/") {
		return errors.New("the address is not an incoming webhook of Slack: add one to your Slack app and copy its URL, " +
			"https://hooks.slack.com/services/…")
	}
	return nil
}

type slackText struct {
	Type  string `json:"type"`
	Text  string `json:"text"`
	Emoji *bool  `json:"emoji,omitempty"`
}

type slackBlock struct {
	Type     string      `json:"type"`
	Text     *slackText  `json:"text,omitempty"`
	Fields   []slackText `json:"fields,omitempty"`
	Elements []any       `json:"elements,omitempty"`
}

type slackButton struct {
	Type     string    `json:"type"`
	Text     slackText `json:"text"`
	URL      string    `json:"url"`
	ActionID string    `json:"action_id"`
}

type slackMessage struct {
	Text        string       `json:"text"` // for the notification
	Markdown    bool         `json:"mrkdwn"`
	UnfurlLinks bool         `json:"unfurl_links"`
	UnfurlMedia bool         `json:"unfurl_media"`
	Blocks      []slackBlock `json:"blocks"`
}

// slackPlain returns a plain_text object.
func slackPlain(text string) slackText {
	no := false // :smile: stays text
	return slackText{"plain_text", text, &no}
}

// Request implements [Format].
func (slack) Request(message Message, target Target, _ time.Time) (*http.Request, error) {
	rules := textRules{escapeSlack, utf16Length}
	layout := rules.layout(message.Content, textLimits{headline: 600, name: 75, value: 1000, line: 280, allLines: 2800, perLine: 3})
	payload := slackMessage{Text: layout.Headline}
	headline := slackPlain(rules.render(message.Content.Headline, 150)) // the limit of a header; a longer headline is a section
	kind := "header"
	if headline.Text != layout.Headline {
		headline, kind = slackPlain(layout.Headline), "section"
	}
	payload.Blocks = append(payload.Blocks, slackBlock{Type: kind, Text: &headline})
	if len(layout.Lines) > 0 {
		lines := slackPlain(layout.bullets("\n"))
		payload.Blocks = append(payload.Blocks, slackBlock{Type: "section", Text: &lines})
	}
	var fields []slackText
	for _, fact := range layout.Facts {
		fields = append(fields, slackPlain(fact.Name), slackPlain(fact.Value))
	}
	if len(fields) > 0 {
		payload.Blocks = append(payload.Blocks, slackBlock{Type: "section", Fields: fields})
	}
	payload.Blocks = append(payload.Blocks, slackBlock{Type: "context", Elements: []any{slackPlain(layout.status())}})
	if layout.Link != "" {
		payload.Blocks = append(payload.Blocks, slackBlock{
			Type: "actions", Elements: []any{slackButton{"button", slackPlain(layout.LinkText), layout.Link, "open"}},
		})
	}
	return newJSONRequest(target.URL, payload)
}

// escapeSlack escapes as HTML does, except for quotation marks.
func escapeSlack(char rune) string {
	if char == '"' {
		return `"`
	}
	return escapeHTML(char)
}

var slackErrors = map[string]codeMeaning{
	"invalid_payload":                   {"the message cannot be read", permanentFailure},
	"invalid_blocks":                    {"the blocks are not valid", permanentFailure},
	"msg_blocks_too_long":               {"the message is too long", permanentFailure},
	"msg_too_long":                      {"the message is too long", permanentFailure},
	"no_text":                           {"the message is empty", permanentFailure},
	"no_service":                        {"the webhook was removed or disabled", endpointGone},
	"no_service_id":                     {"the address is not a webhook", Result{}},
	"no_team":                           {"the workspace does not exist or the address is wrong", Result{}},
	"team_disabled":                     {"the workspace was disabled", endpointGone},
	"channel_is_archived":               {"the channel was archived", endpointGone},
	"channel_not_found":                 {"the channel does not exist", Result{}},
	"action_prohibited":                 {"an administrator of the workspace forbids it", Result{}},
	"posting_to_general_channel_denied": {"the webhook's owner may not post to #general", Result{}},
	"invalid_token":                     {"the address is wrong or was revoked", Result{}},
	"rate_limited":                      {"too many messages", rateLimitedFor(0)},
	"rollup_error":                      {"Slack had an internal error", Result{}},
}

// Result implements [Format]. Only the body "ok" is a success.
func (slack) Result(status int, header http.Header, body []byte, now time.Time) Result {
	response := strings.TrimSpace(string(body))
	result := httpResult("Slack", status, header, body, now)
	switch _, known := slackErrors[response]; {
	case result.RateLimited || (result.OK && response == "ok"):
		return result
	case known:
		return codeResult("Slack", response, "", slackErrors, result)
	case result.OK:
		return Result{Reason: formatReason("Slack", "200", `the response is not "ok": this is not a Slack webhook`, excerpt(body))}
	}
	return result
}
