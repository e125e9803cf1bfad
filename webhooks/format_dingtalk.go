package webhooks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// dingTalk is a custom bot of DingTalk. Its markdown has no escapes, so what people typed is written with
// look-alikes. The word Tandem stands in every message, for bots that want a keyword.
type dingTalk struct{}

// Name implements [Format].
func (dingTalk) Name() string { return "dingtalk" }

// Limits implements [Format]: 20 a minute, and who exceeds them is shut out for ten.
func (dingTalk) Limits() Limits { return Limits{Every: 4 * time.Second, Burst: 4, Chat: true} }

// Check implements [Format].
func (f dingTalk) Check(t Target) error {
	u, err := address(t, f.Name())
	if err != nil {
		return err
	}
	if u.Query().Get("access_token") == "" {
		return errors.New("the address has no access_token: add a custom bot to the group and copy its webhook, " +
			"https://oapi.dingtalk.com/robot/send?access_token=…")
	}
	return nil
}

type dingTalkMessage struct {
	Type     string `json:"msgtype"`
	Markdown struct {
		Title string `json:"title"` // what a notification shows; plain
		Text  string `json:"text"`
	} `json:"markdown"`
	At struct {
		All bool `json:"isAtAll"`
	} `json:"at"`
}

// Request implements [Format].
func (dingTalk) Request(d Delivery, t Target, now time.Time) (*http.Request, error) {
	to := strings.TrimSpace(t.URL)
	if secret := t.secret(); secret != "" {
		at := strconv.FormatInt(now.UnixMilli(), 10)
		var err error
		if to, err = with(to, "timestamp", at, "sign", signDingTalk(at, secret)); err != nil {
			return nil, err
		}
	}
	w := script{inLookAlikes, countJSON}
	p := w.parts(d.Message, budget{headline: 900, name: 100, value: 1500, line: 400, lines: 7000, each: 8})
	var b strings.Builder
	fmt.Fprintf(&b, "#### %s\n\n", p.Headline)
	fmt.Fprintf(&b, "<font color=%s>%s</font> · Tandem", p.Tone.hex(), p.status())
	for _, line := range p.Lines {
		b.WriteString("\n\n• " + line)
	}
	for _, f := range p.Facts {
		fmt.Fprintf(&b, "\n\n**%s** %s", f.Name, f.Value)
	}
	if p.Link != "" {
		fmt.Fprintf(&b, "\n\n[%s](%s)", p.LinkText, p.Link)
	}
	m := dingTalkMessage{Type: "markdown"}
	m.Markdown.Title = script{guarded, countJSON}.write(d.Message.Headline, 900)
	m.Markdown.Text = b.String()
	return postJSON(to, m)
}

// signDingTalk signs as DingTalk wants it: the secret is the key, the time and the secret are the message.
func signDingTalk(timestamp, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "\n" + secret))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// shutOut is how long DingTalk takes nothing from a bot that sent too much.
const shutOut = 10 * time.Minute

var dingTalkErrors = map[string]verdict{
	"40035":  {"the message is not valid", never},
	"43004":  {"the message is not valid", never},
	"90018":  {"too many messages", slow(shutOut)},
	"90030":  {"too many messages", slow(shutOut)},
	"130101": {"too many messages: the bot is shut out for ten minutes", slow(shutOut)},
	"300001": {"the bot was removed, or the address is wrong", gone},
	"310000": {"keyword, signature or our address; “Tandem” is in every message", Result{}},
	"410100": {"too many messages", slow(shutOut)},
	"460101": {"the message is too long", never},
}

// Result implements [Format]: errors come in a 200.
func (dingTalk) Result(status int, header http.Header, body []byte, now time.Time) Result {
	return errcode("DingTalk", status, header, body, now, dingTalkErrors)
}

// errcode reads the answers of DingTalk and WeCom.
func errcode(tool string, status int, header http.Header, body []byte, now time.Time, codes map[string]verdict) Result {
	r := answered(tool, status, header, body, now)
	var said struct {
		Errcode *int
		Errmsg  string
	}
	switch known(body, &said); {
	case said.Errcode != nil && *said.Errcode != 0:
		return refused(tool, strconv.Itoa(*said.Errcode), said.Errmsg, codes, r)
	case said.Errcode == nil && r.OK:
		return Result{Reason: reason(tool, "200", "without an errcode: this is no bot of "+tool, excerpt(body))}
	}
	return r
}
