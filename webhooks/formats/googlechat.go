package formats

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

// googleChat is an incoming webhook of a Google Chat space. Card texts are HTML with a few tags; the fallback text is
// shown in notifications.
type googleChat struct{}

// Name implements [Format].
func (googleChat) Name() string { return "google-chat" }

// Limits implements [Format]. Google Chat accepts one message a second in a space.
func (googleChat) Limits() Limits {
	return Limits{Every: 1100 * time.Millisecond, Burst: 1, Chat: true}
}

// Check implements [Format].
func (f googleChat) Check(target Target) error {
	parsed, err := parseAddress(target, f.Name())
	switch {
	case err != nil:
		return err
	case strings.HasPrefix(parsed.Host, "mail.google.") || parsed.Host == "chat.google.com":
		return errors.New("the address is a space's, not a webhook's: in the space choose Apps & integrations, Webhooks")
	case parsed.Query().Get("key") == "" || parsed.Query().Get("token") == "":
		return errors.New("the address has no key or no token: copy the whole URL, " +
			"https://chat.googleapis.com/v1/spaces/…/messages?key=…&token=…")
	}
	return nil
}

type googleText struct {
	Text string `json:"text"`
}

type googleFact struct {
	TopLabel string `json:"topLabel"`
	Text     string `json:"text"`
	Wrap     bool   `json:"wrapText"`
}

type googleButton struct {
	Text    string `json:"text"`
	OnClick struct {
		OpenLink struct {
			URL string `json:"url"`
		} `json:"openLink"`
	} `json:"onClick"`
}

type googleButtons struct {
	Buttons []googleButton `json:"buttons"`
}

type googleWidget struct {
	Text    *googleText    `json:"textParagraph,omitempty"`
	Fact    *googleFact    `json:"decoratedText,omitempty"`
	Buttons *googleButtons `json:"buttonList,omitempty"`
}

type googleSection struct {
	Widgets []googleWidget `json:"widgets"`
}

type googleCard struct {
	ID   string `json:"cardId"`
	Card struct {
		Sections []googleSection `json:"sections"`
	} `json:"card"`
}

type googleThread struct {
	Key string `json:"threadKey"`
}

type googleMessage struct {
	Fallback string        `json:"fallbackText"`
	Thread   *googleThread `json:"thread,omitempty"`
	Cards    []googleCard  `json:"cardsV2"`
}

// Request implements [Format]. The request id is the message id, so that Google Chat shows a repeated message once.
func (googleChat) Request(message Message, target Target, _ time.Time) (*http.Request, error) {
	to, err := withParameters(target.URL, "requestId", message.ID, "messageReplyOption", "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD")
	if err != nil {
		return nil, err
	}
	rules := textRules{escapeHTML, jsonLength}
	layout := rules.layout(message.Content, textLimits{headline: 900, name: 200, value: 2000, line: 500, allLines: 8000, perLine: 10})
	var section googleSection
	text := func(html string) { section.Widgets = append(section.Widgets, googleWidget{Text: &googleText{html}}) }
	text("<b>" + layout.Headline + "</b>")
	text(`<font color="` + layout.Tone.hexColor() + `">` + layout.status() + "</font>")
	if len(layout.Lines) > 0 {
		text(layout.bullets("<br/>"))
	}
	for _, fact := range layout.Facts {
		section.Widgets = append(section.Widgets, googleWidget{Fact: &googleFact{fact.Name, fact.Value, true}})
	}
	if layout.Link != "" {
		open := googleButton{Text: layout.LinkText}
		open.OnClick.OpenLink.URL = layout.Link
		section.Widgets = append(section.Widgets, googleWidget{Buttons: &googleButtons{[]googleButton{open}}})
	}
	card := googleCard{ID: "tandem"}
	card.Card.Sections = []googleSection{section}
	payload := googleMessage{Fallback: textRules{escapeTags, jsonLength}.render(message.Content.Headline, 900), Cards: []googleCard{card}}
	if key := Truncate(layout.Thread, 200); key != "" {
		payload.Thread = &googleThread{key}
	}
	return newJSONRequest(to, payload)
}

// Result implements [Format].
func (googleChat) Result(status int, header http.Header, body []byte, now time.Time) Result {
	result := httpResult("Google Chat", status, header, body, now)
	var response struct {
		Error struct{ Status, Message string }
	}
	if tryJSON(body, &response); result.OK || response.Error.Status == "" {
		return result
	}
	text := strings.ToLower(response.Error.Message)
	if strings.Contains(text, "exceed") || strings.Contains(text, "too long") || strings.Contains(text, "too large") {
		result.Permanent = !result.RateLimited
	}
	result.Reason = formatReason("Google Chat", response.Error.Status, "", excerpt([]byte(response.Error.Message)))
	return result
}
