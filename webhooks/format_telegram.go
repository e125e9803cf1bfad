package webhooks

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// telegram is a bot of Telegram. The address is its sendMessage method with the chat_id, and for a topic
// of a forum the message_thread_id; both go into the body.
type telegram struct{}

// Name implements [Format].
func (telegram) Name() string { return "telegram" }

// Limits implements [Format]: 20 a minute to a group.
func (telegram) Limits() Limits {
	return Limits{Every: 3100 * time.Millisecond, Burst: 1, Chat: true}
}

var telegramPath = regexp.MustCompile(`/bot\d+:[A-Za-z0-9_-]+/sendMessage$`)

// Check implements [Format].
func (f telegram) Check(t Target) error {
	u, err := address(t, f.Name())
	switch {
	case err != nil:
		return err
	case u.Hostname() == "t.me":
		return errors.New("this is a chat's address, not a bot's: use https://api.telegram.org/bot<token>/sendMessage?chat_id=…")
	case !telegramPath.MatchString(u.Path):
		return errors.New("the address must be https://api.telegram.org/bot<token>/sendMessage?chat_id=…, with the token from @BotFather")
	case u.Query().Get("chat_id") == "":
		return errors.New("the address has no chat_id: the number of the group, or @ and the name of a channel")
	}
	return nil
}

type telegramMessage struct {
	Chat    string `json:"chat_id"`
	Topic   int    `json:"message_thread_id,omitempty"`
	Text    string `json:"text"`
	Mode    string `json:"parse_mode"`
	Preview struct {
		Off bool `json:"is_disabled"`
	} `json:"link_preview_options"`
}

// Request implements [Format].
func (f telegram) Request(d Delivery, t Target, _ time.Time) (*http.Request, error) {
	u, err := address(t, f.Name())
	if err != nil {
		return nil, err
	}
	m := telegramMessage{Chat: u.Query().Get("chat_id"), Mode: "HTML"}
	m.Topic, _ = strconv.Atoi(u.Query().Get("message_thread_id"))
	m.Preview.Off = true
	u.RawQuery = ""
	w := script{inHTML, countUnits}
	p := w.parts(d.Message, budget{headline: 600, name: 60, value: 280, line: 280, lines: 1000, each: 5})
	var b strings.Builder
	fmt.Fprintf(&b, "<b>%s</b>\n%s", p.Headline, p.status())
	if len(p.Lines) > 0 {
		b.WriteString("\n" + p.bullets("\n"))
	}
	for _, f := range p.Facts {
		fmt.Fprintf(&b, "\n<i>%s:</i> %s", f.Name, f.Value)
	}
	if p.Link != "" {
		fmt.Fprintf(&b, "\n"+`<a href="%s">%s</a>`, inAttribute(p.Link), p.LinkText)
	}
	m.Text = b.String()
	return postJSON(u.String(), m)
}

// inAttribute escapes an address that [link] made for an attribute of HTML.
func inAttribute(link string) string { return strings.ReplaceAll(link, "&", "&amp;") }

// Result implements [Format].
func (telegram) Result(status int, header http.Header, body []byte, now time.Time) Result {
	r := answered("Telegram", status, header, body, now)
	var said struct {
		OK          bool `json:"ok"`
		Code        int  `json:"error_code"`
		Description string
		Parameters  struct {
			RetryAfter float64 `json:"retry_after"`
			Migrate    int64   `json:"migrate_to_chat_id"`
		}
	}
	switch known(body, &said); {
	case r.OK && said.OK:
		return r
	case r.OK && said.Code == 0:
		return Result{Reason: reason("Telegram", "200", "without ok: this is no bot of Telegram", excerpt(body))}
	case said.Code == 0:
		return r
	}
	means := ""
	r = Result{Slow: said.Code == http.StatusTooManyRequests, After: max(r.After, wait(said.Parameters.RetryAfter))}
	switch {
	case said.Parameters.Migrate != 0:
		means = fmt.Sprintf("the group became a supergroup: put chat_id=%d into the address", said.Parameters.Migrate)
	case strings.Contains(said.Description, "kicked") || strings.Contains(said.Description, "group chat was deleted"):
		means, r.Gone = "the bot was removed from the group", true
	case strings.Contains(said.Description, "message is too long") || strings.Contains(said.Description, "can't parse entities"):
		means, r.Never = "the message is too long or not valid", true
	case said.Code == http.StatusUnauthorized || said.Code == http.StatusNotFound:
		means = "the bot's token is wrong"
	case r.Slow:
		means = "too many messages"
	}
	r.Reason = reason("Telegram", strconv.Itoa(said.Code), means, excerpt([]byte(said.Description)))
	return r
}
