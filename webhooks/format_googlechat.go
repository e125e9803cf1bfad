package webhooks

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

// googleChat is an incoming webhook of a Google Chat space. Texts of cards are HTML of a few tags; the
// fallback is what a notification shows.
type googleChat struct{}

// Name implements [Format].
func (googleChat) Name() string { return "google-chat" }

// Limits implements [Format]: one a second and space.
func (googleChat) Limits() Limits {
	return Limits{Every: 1100 * time.Millisecond, Burst: 1, Chat: true}
}

// Check implements [Format].
func (f googleChat) Check(t Target) error {
	u, err := address(t, f.Name())
	switch {
	case err != nil:
		return err
	case strings.HasPrefix(u.Host, "mail.google.") || u.Host == "chat.google.com":
		return errors.New("this is the address of a space, not of a webhook: in the space choose Apps & integrations, Webhooks")
	case u.Query().Get("key") == "" || u.Query().Get("token") == "":
		return errors.New("the address has no key or no token, it was not copied to its end: " +
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

// Request implements [Format]. The request's id is the delivery's, so that a repeated one is shown once.
func (googleChat) Request(d Delivery, t Target, _ time.Time) (*http.Request, error) {
	to, err := with(t.URL, "requestId", d.ID, "messageReplyOption", "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD")
	if err != nil {
		return nil, err
	}
	w := script{inHTML, countJSON}
	p := w.parts(d.Message, budget{headline: 900, name: 200, value: 2000, line: 500, lines: 8000, each: 10})
	var s googleSection
	text := func(html string) { s.Widgets = append(s.Widgets, googleWidget{Text: &googleText{html}}) }
	text("<b>" + p.Headline + "</b>")
	text(`<font color="` + p.Tone.hex() + `">` + p.status() + "</font>")
	if len(p.Lines) > 0 {
		text(p.bullets("<br/>"))
	}
	for _, f := range p.Facts {
		s.Widgets = append(s.Widgets, googleWidget{Fact: &googleFact{f.Name, f.Value, true}})
	}
	if p.Link != "" {
		open := googleButton{Text: p.LinkText}
		open.OnClick.OpenLink.URL = p.Link
		s.Widgets = append(s.Widgets, googleWidget{Buttons: &googleButtons{[]googleButton{open}}})
	}
	card := googleCard{ID: "tandem"}
	card.Card.Sections = []googleSection{s}
	m := googleMessage{Fallback: script{guarded, countJSON}.write(d.Message.Headline, 900), Cards: []googleCard{card}}
	if key := (script{size: countUnits}).write(p.Thread, 200); key != "" {
		m.Thread = &googleThread{key}
	}
	return postJSON(to, m)
}

// Result implements [Format].
func (googleChat) Result(status int, header http.Header, body []byte, now time.Time) Result {
	r := answered("Google Chat", status, header, body, now)
	var said struct {
		Error struct{ Status, Message string }
	}
	if known(body, &said); r.OK || said.Error.Status == "" {
		return r
	}
	text := strings.ToLower(said.Error.Message)
	if strings.Contains(text, "exceed") || strings.Contains(text, "too long") || strings.Contains(text, "too large") {
		r.Never = !r.Slow
	}
	r.Reason = reason("Google Chat", said.Error.Status, "", excerpt([]byte(said.Error.Message)))
	return r
}
