package formats

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

// mattermost is an incoming webhook of Mattermost.
type mattermost struct{}

// Name implements [Format].
func (mattermost) Name() string { return "mattermost" }

// Limits implements [Format].
func (mattermost) Limits() Limits { return Limits{Every: 200 * time.Millisecond, Burst: 5, Chat: true} }

// Check implements [Format].
func (f mattermost) Check(target Target) error {
	parsed, err := parseAddress(target, f.Name())
	if err != nil {
		return err
	}
	if !strings.Contains(parsed.Path, "/hooks/") {
		return errors.New("the address is not an incoming webhook of Mattermost: add one under Integrations and copy its URL, " +
			"https://your-server/hooks/…")
	}
	return nil
}

type mattermostField struct {
	Short bool   `json:"short"`
	Title string `json:"title"`
	Value string `json:"value"`
}

type mattermostAttachment struct {
	Fallback  string            `json:"fallback"`
	Color     string            `json:"color"`
	Text      string            `json:"text"`
	Title     string            `json:"title,omitempty"`
	TitleLink string            `json:"title_link,omitempty"`
	Fields    []mattermostField `json:"fields,omitempty"`
}

type mattermostMessage struct {
	Text        string                 `json:"text"`
	Attachments []mattermostAttachment `json:"attachments"`
}

// Request implements [Format].
func (mattermost) Request(message Message, target Target, _ time.Time) (*http.Request, error) {
	rules := textRules{escapeMattermost, utf16Length}
	layout := rules.layout(message.Content, textLimits{headline: 600, name: 100, value: 1500, line: 400, allLines: 6000, perLine: 3})
	attachment := mattermostAttachment{
		Fallback: textRules{escapeMentions, utf16Length}.render(message.Content.Headline, 600), Color: layout.Tone.hexColor(), Text: layout.status(),
	}
	if len(layout.Lines) > 0 {
		attachment.Text += "\n" + layout.bullets("\n")
	}
	if layout.Link != "" {
		attachment.Title, attachment.TitleLink = layout.LinkText, layout.Link
	}
	for _, fact := range layout.Facts {
		attachment.Fields = append(attachment.Fields, mattermostField{true, fact.Name, fact.Value})
	}
	return newJSONRequest(target.URL, mattermostMessage{"**" + layout.Headline + "**", []mattermostAttachment{attachment}})
}

// escapeMattermost escapes for Mattermost's Markdown. Mattermost detects hashtags, channels and emoji after it has
// removed escapes, so a zero-width space breaks them; formulas have no escape, so $ is replaced.
func escapeMattermost(char rune) string {
	switch {
	case char == '$':
		return "＄"
	case char == '#' || char == '~':
		return `\` + string(char) + zeroWidthSpace
	case char == ':' || char == '<' || char == '&':
		return string(char) + zeroWidthSpace
	case strings.ContainsRune("\\`*_{}[]()+-.!>|", char):
		return `\` + string(char)
	}
	return escapeMentions(char)
}

// Result implements [Format].
func (mattermost) Result(status int, header http.Header, body []byte, now time.Time) Result {
	result := httpResult("Mattermost", status, header, body, now)
	var response struct{ ID, Message string }
	if tryJSON(body, &response); result.OK || response.ID == "" {
		return result
	}
	result.Reason = formatReason("Mattermost", response.ID, "", excerpt([]byte(response.Message)))
	switch {
	case strings.Contains(response.ID, "too_long") || strings.Contains(response.ID, "text.length"):
		result.Permanent = true
	case strings.Contains(response.ID, "incoming_webhook.invalid"):
		result.Reason = formatReason("Mattermost", response.ID, "the webhook was removed, or the address is wrong", excerpt([]byte(response.Message)))
	}
	return result
}
