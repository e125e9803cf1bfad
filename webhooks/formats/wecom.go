package formats

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// weCom is a group bot of WeCom. Its Markdown has no escapes, so user text is written with look-alikes. A message has
// at most 4096 bytes, which is a third as many Chinese characters.
type weCom struct{}

// Name implements [Format].
func (weCom) Name() string { return "wecom" }

// Limits implements [Format]. WeCom accepts 20 messages a minute.
func (weCom) Limits() Limits { return Limits{Every: 4 * time.Second, Burst: 4, Chat: true} }

// Check implements [Format].
func (f weCom) Check(target Target) error {
	parsed, err := parseAddress(target, f.Name())
	if err != nil {
		return err
	}
	if parsed.Query().Get("key") == "" {
		return errors.New("the address has no key: add a group bot and copy its webhook URL, " +
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
func (weCom) Request(message Message, target Target, _ time.Time) (*http.Request, error) {
	rules := textRules{useLookAlikes, byteLength}
	layout := rules.layout(message.Content, textLimits{headline: 600, name: 60, value: 280, line: 280, allLines: 1000, perLine: 5})
	var text strings.Builder
	fmt.Fprintf(&text, "**%s**\n", layout.Headline)
	fmt.Fprintf(&text, `<font color="%s">%s</font>`, byTone(layout.Tone, "comment", "info", "warning", "warning"), layout.status())
	for _, line := range layout.Lines {
		text.WriteString("\n• " + line)
	}
	for _, fact := range layout.Facts {
		fmt.Fprintf(&text, "\n"+`<font color="comment">%s</font> %s`, fact.Name, fact.Value)
	}
	if layout.Link != "" {
		fmt.Fprintf(&text, "\n[%s](%s)", layout.LinkText, layout.Link)
	}
	payload := weComMessage{Type: "markdown"}
	payload.Markdown.Content = text.String()
	return newJSONRequest(target.URL, payload)
}

var weComErrors = map[string]codeMeaning{
	"40008": {"the message is not valid", permanentFailure},
	"40058": {"the message is too long or not valid", permanentFailure},
	"45002": {"the message is too long", permanentFailure},
	"45009": {"too many messages", rateLimitedFor(time.Minute)},
	"93000": {"the bot was removed, or the key is wrong", endpointGone},
	"93017": {"the bot is not allowed to send", Result{}},
}

// Result implements [Format]. WeCom reports errors with status 200.
func (weCom) Result(status int, header http.Header, body []byte, now time.Time) Result {
	return errcodeResult("WeCom", status, header, body, now, weComErrors)
}
