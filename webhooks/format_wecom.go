package webhooks

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// weCom is a group bot of WeCom. Its markdown has no escapes, so what people typed is written with
// look-alikes; all of it has 4096 bytes, which is a third in Chinese characters.
type weCom struct{}

// Name implements [Format].
func (weCom) Name() string { return "wecom" }

// Limits implements [Format]: 20 a minute.
func (weCom) Limits() Limits { return Limits{Every: 4 * time.Second, Burst: 4, Chat: true} }

// Check implements [Format].
func (f weCom) Check(t Target) error {
	u, err := address(t, f.Name())
	if err != nil {
		return err
	}
	if u.Query().Get("key") == "" {
		return errors.New("the address has no key: add a group bot and copy its webhook, " +
			"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…")
	}
	return nil
}

type weComMessage struct {
	Type     string `json:"msgtype"`
	Markdown struct {
		Content string `json:"content"`
	} `json:"markdown"`
}

// Request implements [Format].
func (weCom) Request(d Delivery, t Target, _ time.Time) (*http.Request, error) {
	w := script{inLookAlikes, countBytes}
	p := w.parts(d.Message, budget{headline: 600, name: 60, value: 280, line: 280, lines: 1000, each: 5})
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**\n", p.Headline)
	fmt.Fprintf(&b, `<font color="%s">%s</font>`, pick(p.Tone, "comment", "info", "warning", "warning"), p.status())
	for _, line := range p.Lines {
		b.WriteString("\n• " + line)
	}
	for _, f := range p.Facts {
		fmt.Fprintf(&b, "\n"+`<font color="comment">%s</font> %s`, f.Name, f.Value)
	}
	if p.Link != "" {
		fmt.Fprintf(&b, "\n[%s](%s)", p.LinkText, p.Link)
	}
	m := weComMessage{Type: "markdown"}
	m.Markdown.Content = b.String()
	return postJSON(t.URL, m)
}

var weComErrors = map[string]verdict{
	"40008": {"the message is not valid", never},
	"40058": {"the message is too long or not valid", never},
	"45002": {"the message is too long", never},
	"45009": {"too many messages", slow(time.Minute)},
	"93000": {"the bot was removed, or the key is wrong", gone},
	"93017": {"the bot is not allowed to send", Result{}},
}

// Result implements [Format]: errors come in a 200.
func (weCom) Result(status int, header http.Header, body []byte, now time.Time) Result {
	return errcode("WeCom", status, header, body, now, weComErrors)
}
