package webhooks

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

// rocketChat is an incoming integration of Rocket.Chat. Which characters its markdown escapes depends on its
// version, so what people typed is written with look-alikes.
type rocketChat struct{}

// Name implements [Format].
func (rocketChat) Name() string { return "rocketchat" }

// Limits implements [Format].
func (rocketChat) Limits() Limits { return Limits{Every: 500 * time.Millisecond, Burst: 5, Chat: true} }

// Check implements [Format].
func (f rocketChat) Check(t Target) error {
	u, err := address(t, f.Name())
	if err != nil {
		return err
	}
	if !strings.Contains(u.Path, "/hooks/") {
		return errors.New("this is not an incoming integration of Rocket.Chat: under Integrations add one and copy its " +
			"Webhook URL, https://your-server/hooks/…")
	}
	return nil
}

// Request implements [Format].
func (rocketChat) Request(d Delivery, t Target, _ time.Time) (*http.Request, error) {
	w := script{inLookAlikes, countUnits}
	p := w.parts(d.Message, budget{headline: 400, name: 60, value: 400, line: 280, lines: 2000, each: 3})
	a := mattermostAttachment{Fallback: p.Headline, Color: p.Tone.hex(), Text: p.status()}
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

// Result implements [Format].
func (rocketChat) Result(status int, header http.Header, body []byte, now time.Time) Result {
	r := answered("Rocket.Chat", status, header, body, now)
	var said struct {
		Success *bool
		Error   string
	}
	switch known(body, &said); {
	case said.Error == "error-too-many-requests" || strings.Contains(said.Error, "too many requests"):
		return refused("Rocket.Chat", "error-too-many-requests", said.Error, map[string]verdict{
			"error-too-many-requests": {"too many messages", slow(0)},
		}, r)
	case said.Success != nil && !*said.Success:
		r.OK, r.Reason = false, reason("Rocket.Chat", said.Error, "", "")
		r.Never = r.Never || strings.Contains(said.Error, "message-size") || strings.Contains(said.Error, "message-too-long")
	}
	return r
}
