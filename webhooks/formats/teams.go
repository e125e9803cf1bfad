package formats

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

// teams is a Workflow of Microsoft Teams that accepts an Adaptive Card. User text is in text runs, which have no
// Markdown. Mentions need entities, and the card has none.
type teams struct{}

// Name implements [Format].
func (teams) Name() string { return "teams" }

// Limits implements [Format].
func (teams) Limits() Limits { return Limits{Every: time.Second, Burst: 3, Chat: true} }

// Check implements [Format].
func (f teams) Check(target Target) error {
	const workflow = "in the channel choose Workflows, “Send webhook alerts to a channel”, and copy its URL"
	parsed, err := parseAddress(target, f.Name())
	if err != nil {
		return err
	}
	host := strings.ToLower(parsed.Hostname())
	switch {
	case host == "outlook.office.com" || host == "webhook.office.com" || strings.HasSuffix(host, ".webhook.office.com"):
		return errors.New("the address is an Office 365 connector, which Microsoft has retired: " + workflow)
	case host == "teams.microsoft.com" || host == "teams.live.com":
		return errors.New("the address is a channel's, not a Workflow's: " + workflow)
	case strings.HasSuffix(host, ".logic.azure.com") && parsed.Query().Get("sig") == "":
		return errors.New("the address has no sig parameter, so it is incomplete: " + workflow)
	}
	return nil
}

type teamsRun struct {
	Type   string `json:"type"`
	Text   string `json:"text"`
	Weight string `json:"weight,omitempty"`
	Size   string `json:"size,omitempty"`
	Color  string `json:"color,omitempty"`
	Subtle bool   `json:"isSubtle,omitempty"`
}

type teamsLine struct {
	Type    string     `json:"type"`
	Spacing string     `json:"spacing,omitempty"`
	Inlines []teamsRun `json:"inlines"`
}

type teamsAction struct {
	Type  string `json:"type"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

type teamsCard struct {
	Schema   string        `json:"$schema"`
	Type     string        `json:"type"`
	Version  string        `json:"version"`
	Fallback string        `json:"fallbackText"`
	Body     []teamsLine   `json:"body"`
	Actions  []teamsAction `json:"actions,omitempty"`
	Teams    teamsWidth    `json:"msteams"`
}

type teamsWidth struct {
	Width string `json:"width"`
}

type teamsAttachment struct {
	ContentType string    `json:"contentType"`
	ContentURL  *string   `json:"contentUrl"`
	Content     teamsCard `json:"content"`
}

type teamsMessage struct {
	Type        string            `json:"type"`
	Summary     string            `json:"summary"` // for the notification
	Attachments []teamsAttachment `json:"attachments"`
}

// teamsText returns a line of text runs.
func teamsText(spacing string, runs ...teamsRun) teamsLine {
	for i := range runs {
		runs[i].Type = "TextRun"
	}
	return teamsLine{"RichTextBlock", spacing, runs}
}

// Request implements [Format]. Teams limits a card to 28 KB after wrapping it, which leaves about 18 KB.
func (teams) Request(message Message, target Target, _ time.Time) (*http.Request, error) {
	rules := textRules{escapeMentions, jsonLength}
	layout := rules.layout(message.Content, textLimits{headline: 600, name: 100, value: 1500, line: 400, allLines: 6000, perLine: 110})
	card := teamsCard{
		Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Type: "AdaptiveCard", Version: "1.4",
		Fallback: layout.Headline, Teams: teamsWidth{"Full"},
		Body: []teamsLine{
			teamsText("", teamsRun{Text: layout.Headline, Weight: "Bolder", Size: "Medium"}),
			teamsText("Small", teamsRun{
				Text: layout.status(), Weight: "Bolder", Color: byTone(layout.Tone, "Accent", "Good", "Warning", "Attention"),
			}),
		},
	}
	for _, line := range layout.Lines {
		card.Body = append(card.Body, teamsText("Small", teamsRun{Text: "• " + line}))
	}
	for _, fact := range layout.Facts {
		card.Body = append(card.Body, teamsText("Small", teamsRun{Text: fact.Name + ": ", Subtle: true}, teamsRun{Text: fact.Value}))
	}
	if layout.Link != "" {
		card.Actions = []teamsAction{{"Action.OpenUrl", layout.LinkText, layout.Link}}
	}
	return newJSONRequest(target.URL, teamsMessage{"message", layout.Headline, []teamsAttachment{{
		"application/vnd.microsoft.card.adaptive", nil, card,
	}}})
}

var teamsErrors = map[string]codeMeaning{
	"WorkflowTriggerIsNotEnabled":    {"the Workflow is turned off; its owner can turn it on", Result{}},
	"WorkflowNotFound":               {"the Workflow was deleted, possibly because its owner left", endpointGone},
	"TriggerNotFound":                {"the Workflow no longer starts with a webhook trigger", Result{}},
	"DirectApiAuthorizationRequired": {"the address has no valid sig; copy it again", Result{}},
	"AuthorizationFailed":            {"the address has no valid sig; copy it again", Result{}},
	"TriggerInputSchemaMismatch":     {"the Workflow expects another message format: use “Send webhook alerts to a channel”", Result{}},
	"RequestEntityTooLarge":          {"the message is too large", permanentFailure},
	"TriggerRequestThrottled":        {"too many messages", rateLimitedFor(0)},
}

// Result implements [Format]. A success means that the card is queued: Teams validates it later and reports no errors.
func (teams) Result(status int, header http.Header, body []byte, now time.Time) Result {
	result := httpResult("Teams", status, header, body, now)
	if result.OK {
		result.Note = "accepted; Teams validates the card later and does not report errors"
		return result
	}
	var response struct {
		Error struct{ Code, Message string }
	}
	if tryJSON(body, &response); response.Error.Code == "" {
		return result
	}
	return codeResult("Teams", response.Error.Code, response.Error.Message, teamsErrors, result)
}
