package webhooks

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

// slack is an incoming webhook of Slack. All texts are plain_text objects: they know no markup, and in them
// & < > are escaped, so that <!channel> calls nobody. Facts are two columns: names and values.
type slack struct{}

// Name implements [Format].
func (slack) Name() string { return "slack" }

// Limits implements [Format].
func (slack) Limits() Limits { return Limits{Every: time.Second, Burst: 3, Chat: true} }

// Check implements [Format].
func (f slack) Check(t Target) error {
	u, err := address(t, f.Name())
	if err != nil {
		return err
	}
	if u.Path == "" || u.Path == "/" || strings.HasPrefix(u.Path, "/api/") {
		return errors.New("this is not an incoming webhook of Slack: add one to your Slack app and copy its address, " +
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
	Text        string       `json:"text"` // what a notification shows
	Markdown    bool         `json:"mrkdwn"`
	UnfurlLinks bool         `json:"unfurl_links"`
	UnfurlMedia bool         `json:"unfurl_media"`
	Blocks      []slackBlock `json:"blocks"`
}

func slackPlain(text string) slackText {
	no := false // :names: of emoji stay as typed
	return slackText{"plain_text", text, &no}
}

// Request implements [Format].
func (slack) Request(d Delivery, t Target, _ time.Time) (*http.Request, error) {
	w := script{inSlack, countUnits}
	p := w.parts(d.Message, budget{headline: 600, name: 75, value: 1000, line: 280, lines: 2800, each: 3})
	m := slackMessage{Text: p.Headline}
	headline := slackPlain(w.write(d.Message.Headline, 150)) // a header's limit; a longer one is a section
	kind := "header"
	if headline.Text != p.Headline {
		headline, kind = slackPlain(p.Headline), "section"
	}
	m.Blocks = append(m.Blocks, slackBlock{Type: kind, Text: &headline})
	if len(p.Lines) > 0 {
		lines := slackPlain(p.bullets("\n"))
		m.Blocks = append(m.Blocks, slackBlock{Type: "section", Text: &lines})
	}
	var fields []slackText
	for _, f := range p.Facts {
		fields = append(fields, slackPlain(f.Name), slackPlain(f.Value))
	}
	if len(fields) > 0 {
		m.Blocks = append(m.Blocks, slackBlock{Type: "section", Fields: fields})
	}
	m.Blocks = append(m.Blocks, slackBlock{Type: "context", Elements: []any{slackPlain(p.status())}})
	if p.Link != "" {
		m.Blocks = append(m.Blocks, slackBlock{
			Type: "actions", Elements: []any{slackButton{"button", slackPlain(p.LinkText), p.Link, "open"}},
		})
	}
	return postJSON(t.URL, m)
}

func inSlack(r rune) string {
	if r == '"' {
		return `"` // the one that HTML escapes and Slack does not
	}
	return inHTML(r)
}

var slackErrors = map[string]verdict{
	"invalid_payload":                   {"the message cannot be read", never},
	"invalid_blocks":                    {"the blocks are not valid", never},
	"msg_blocks_too_long":               {"the message is too long", never},
	"msg_too_long":                      {"the message is too long", never},
	"no_text":                           {"the message is empty", never},
	"no_service":                        {"the webhook was removed or disabled", gone},
	"no_service_id":                     {"the address is not a webhook's", Result{}},
	"no_team":                           {"the workspace does not exist or the address is wrong", Result{}},
	"team_disabled":                     {"the workspace was disabled", gone},
	"channel_is_archived":               {"the channel was archived", gone},
	"channel_not_found":                 {"the channel does not exist", Result{}},
	"action_prohibited":                 {"an administrator of the workspace forbids it", Result{}},
	"posting_to_general_channel_denied": {"the webhook's author may not post to #general", Result{}},
	"invalid_token":                     {"the address is wrong or was revoked", Result{}},
	"rate_limited":                      {"too many messages", slow(0)},
	"rollup_error":                      {"Slack failed", Result{}},
}

// Result implements [Format]: only the body "ok" is a success.
func (slack) Result(status int, header http.Header, body []byte, now time.Time) Result {
	said := strings.TrimSpace(string(body))
	r := answered("Slack", status, header, body, now)
	switch _, known := slackErrors[said]; {
	case r.Slow || (r.OK && said == "ok"):
		return r
	case known:
		return refused("Slack", said, "", slackErrors, r)
	case r.OK:
		return Result{Reason: reason("Slack", "200", `not "ok": this is no webhook of Slack`, excerpt(body))}
	}
	return r
}
