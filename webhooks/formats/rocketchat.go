package formats

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

// rocketChat is an incoming integration of Rocket.Chat. Its Markdown escapes depend on the version, so user text is
// written with look-alikes.
type rocketChat struct{}

// Name implements [Format].
func (rocketChat) Name() string { return "rocketchat" }

// Limits implements [Format].
func (rocketChat) Limits() Limits { return Limits{Every: 500 * time.Millisecond, Burst: 5, Chat: true} }

// Check implements [Format].
func (f rocketChat) Check(target Target) error {
	parsed, err := parseAddress(target, f.Name())
	if err != nil {
		return err
	}
	if !strings.Contains(parsed.Path, "/hooks/") {
		return errors.New("the address is not an incoming integration of Rocket.Chat: add one under Integrations and copy its " +
			"Webhook URL, https://your-server/hooks/…")
	}
	return nil
}

// Request implements [Format].
func (rocketChat) Request(message Message, target Target, _ time.Time) (*http.Request, error) {
	rules := textRules{useLookAlikes, utf16Length}
	layout := rules.layout(message.Content, textLimits{headline: 400, name: 60, value: 400, line: 280, allLines: 2000, perLine: 3})
	attachment := mattermostAttachment{Fallback: layout.Headline, Color: layout.Tone.hexColor(), Text: layout.status()}
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

// Result implements [Format].
func (rocketChat) Result(status int, header http.Header, body []byte, now time.Time) Result {
	result := httpResult("Rocket.Chat", status, header, body, now)
	var response struct {
		Success *bool
		Error   string
	}
	switch tryJSON(body, &response); {
	case response.Error == "error-too-many-requests" || strings.Contains(response.Error, "too many requests"):
		return codeResult("Rocket.Chat", "error-too-many-requests", response.Error, map[string]codeMeaning{
			"error-too-many-requests": {"too many messages", rateLimitedFor(0)},
		}, result)
	case response.Success != nil && !*response.Success:
		result.OK, result.Reason = false, formatReason("Rocket.Chat", response.Error, "", "")
		result.Permanent = result.Permanent || strings.Contains(response.Error, "message-size") || strings.Contains(response.Error, "message-too-long")
	}
	return result
}
