package webhooks

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// discord is a webhook of Discord. An embed calls nobody, and allowed_mentions says so once more.
type discord struct{}

// Name implements [Format].
func (discord) Name() string { return "discord" }

// Limits implements [Format]. The answers say how many are left; these are only the beginning.
func (discord) Limits() Limits { return Limits{Every: 2 * time.Second, Burst: 4, Chat: true} }

// Check implements [Format].
func (f discord) Check(t Target) error {
	u, err := address(t, f.Name())
	switch {
	case err != nil:
		return err
	case strings.HasSuffix(u.Path, "/slack") || strings.HasSuffix(u.Path, "/github"):
		return errors.New("leave out the last part of the address, /slack or /github: Tandem speaks Discord's own format")
	case !strings.Contains(u.Path, "/webhooks/"):
		return errors.New("this is not a webhook of Discord: in the channel's settings choose Integrations, Webhooks, and copy " +
			"its URL, https://discord.com/api/webhooks/…")
	}
	return nil
}

type discordField struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Inline bool   `json:"inline"`
}

type discordEmbed struct {
	Title       string         `json:"title"`
	URL         string         `json:"url,omitempty"`
	Color       int            `json:"color"`
	Description string         `json:"description"`
	Fields      []discordField `json:"fields,omitempty"`
}

type discordMessage struct {
	Embeds  []discordEmbed `json:"embeds"`
	Allowed struct {
		Parse []string `json:"parse"`
	} `json:"allowed_mentions"`
}

// Request implements [Format]. Without wait=true a message that was not saved would give no error.
func (discord) Request(d Delivery, t Target, _ time.Time) (*http.Request, error) {
	to, err := with(t.URL, "wait", "true")
	if err != nil {
		return nil, err
	}
	w := script{inMarkdown, countUnits}
	p := w.parts(d.Message, budget{headline: 256, name: 100, value: 600, line: 280, lines: 2200, each: 3})
	color, err := strconv.ParseInt(p.Tone.hex()[1:], 16, 32)
	if err != nil {
		return nil, err
	}
	e := discordEmbed{Title: p.Headline, URL: p.Link, Color: int(color), Description: p.Tone.circle()}
	if p.Word != "" {
		e.Description += " **" + p.Word + "**"
	}
	if len(p.Lines) > 0 {
		e.Description += "\n" + p.bullets("\n")
	}
	for _, f := range p.Facts {
		e.Fields = append(e.Fields, discordField{f.Name, f.Value, true})
	}
	m := discordMessage{Embeds: []discordEmbed{e}}
	m.Allowed.Parse = []string{}
	return postJSON(to, m)
}

var discordErrors = map[string]verdict{
	"10015": {"the webhook was deleted", gone},
	"10003": {"the channel was deleted", gone},
	"50027": {"the webhook's token is wrong", gone},
	"50035": {"the message is not valid", never},
	"40005": {"the message is too large", never},
	"50006": {"the message is empty", never},
}

// Result implements [Format]. Where the answer says that nothing is left, the next message waits.
func (discord) Result(status int, header http.Header, body []byte, now time.Time) Result {
	r := answered("Discord", status, header, body, now)
	var said struct {
		Code       int
		Message    string
		RetryAfter float64 `json:"retry_after"`
	}
	known(body, &said)
	if header.Get("X-RateLimit-Remaining") == "0" {
		left, _ := strconv.ParseFloat(header.Get("X-RateLimit-Reset-After"), 64)
		r.After = max(r.After, wait(left))
	}
	if r.OK || r.Slow {
		r.After = max(r.After, wait(said.RetryAfter))
		return r
	}
	if said.Code != 0 {
		return refused("Discord", strconv.Itoa(said.Code), said.Message, discordErrors, r)
	}
	return r
}
