package webhooks

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
func (f mattermost) Check(t Target) error {
	u, err := address(t, f.Name())
	if err != nil {
		return err
	}
	if !strings.Contains(u.Path, "/hooks/") {
		return errors.New("this is not an incoming webhook of Mattermost: under Integrations add one and copy its URL, " +
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
func (mattermost) Request(d Delivery, t Target, _ time.Time) (*http.Request, error) {
	w := script{inMattermost, countUnits}
	p := w.parts(d.Message, budget{headline: 600, name: 100, value: 1500, line: 400, lines: 6000, each: 3})
	a := mattermostAttachment{
		Fallback: script{quiet, countUnits}.write(d.Message.Headline, 600), Color: p.Tone.hex(), Text: p.status(),
	}
	if len(p.Lines) > 0 {
		a.Text += "\n" + p.bullets("\n")
	}
	if p.Link != "" {
		a.Title, a.TitleLink = p.LinkText, p.Link
	}
	for _, f := range p.Facts {
		a.Fields = append(a.Fields, mattermostField{true, f.Name, f.Value})
	}
	return postJSON(t.URL, mattermostMessage{"**" + p.Headline + "**", []mattermostAttachment{a}})
}

// inMattermost escapes what Mattermost's markdown has escapes for. Hashtags, channels and emoji are looked
// for after the escapes were taken away, so those are broken in another way; formulas have no escape at all.
func inMattermost(r rune) string {
	switch {
	case r == '$':
		return "＄"
	case r == '#' || r == '~':
		return `\` + string(r) + invisible
	case r == ':' || r == '<' || r == '&':
		return string(r) + invisible
	case strings.ContainsRune("\\`*_{}[]()+-.!>|", r):
		return `\` + string(r)
	}
	return quiet(r)
}

// Result implements [Format].
func (mattermost) Result(status int, header http.Header, body []byte, now time.Time) Result {
	r := answered("Mattermost", status, header, body, now)
	var said struct{ ID, Message string }
	if known(body, &said); r.OK || said.ID == "" {
		return r
	}
	r.Reason = reason("Mattermost", said.ID, "", excerpt([]byte(said.Message)))
	switch {
	case strings.Contains(said.ID, "too_long") || strings.Contains(said.ID, "text.length"):
		r.Never = true
	case strings.Contains(said.ID, "incoming_webhook.invalid"):
		r.Reason = reason("Mattermost", said.ID, "the webhook was removed, or the address is wrong", excerpt([]byte(said.Message)))
	}
	return r
}
