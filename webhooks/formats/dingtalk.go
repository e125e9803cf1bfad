package formats

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

// dingTalk is a custom robot of DingTalk. Its Markdown has no escapes, so user text is written with look-alikes. Every
// message contains the word Tandem, for robots that require a keyword.
type dingTalk struct{}

// Name implements [Format].
func (dingTalk) Name() string { return "dingtalk" }

// Limits implements [Format]. DingTalk accepts 20 messages a minute, and blocks a robot that exceeds this for ten
// minutes.
func (dingTalk) Limits() Limits { return Limits{Every: 4 * time.Second, Burst: 4, Chat: true} }

// Check implements [Format].
func (f dingTalk) Check(target Target) error {
	parsed, err := parseAddress(target, f.Name())
	if err != nil {
		return err
	}
	if parsed.Query().Get("access_token") == "" {
		return errors.New("the address has no access_token: add a custom robot to the group and copy its webhook URL, " +
			"https://oapi.dingtalk.com/robot/send?access_token=…")
	}
	return nil
}

type dingTalkMessage struct {
	Type     string `json:"msgtype"`
	Markdown struct {
		Title string `json:"title"` // plain text for the notification
		Text  string `json:"text"`
	} `json:"markdown"`
	At struct {
		All bool `json:"isAtAll"`
	} `json:"at"`
}

// Request implements [Format].
func (dingTalk) Request(message Message, target Target, now time.Time) (*http.Request, error) {
	to := strings.TrimSpace(target.URL)
	if secret := target.currentSecret(); secret != "" {
		at := strconv.FormatInt(now.UnixMilli(), 10)
		var err error
		if to, err = withParameters(to, "timestamp", at, "sign", signDingTalk(at, secret)); err != nil {
			return nil, err
		}
	}
	rules := textRules{useLookAlikes, jsonLength}
	layout := rules.layout(message.Content, textLimits{headline: 900, name: 100, value: 1500, line: 400, allLines: 7000, perLine: 8})
	var text strings.Builder
	fmt.Fprintf(&text, "#### %s\n\n", layout.Headline)
	fmt.Fprintf(&text, "<font color=%s>%s</font> · Tandem", layout.Tone.hexColor(), layout.status())
	for _, line := range layout.Lines {
		text.WriteString("\n\n• " + line)
	}
	for _, fact := range layout.Facts {
		fmt.Fprintf(&text, "\n\n**%s** %s", fact.Name, fact.Value)
	}
	if layout.Link != "" {
		fmt.Fprintf(&text, "\n\n[%s](%s)", layout.LinkText, layout.Link)
	}
	payload := dingTalkMessage{Type: "markdown"}
	payload.Markdown.Title = textRules{escapeTags, jsonLength}.render(message.Content.Headline, 900)
	payload.Markdown.Text = text.String()
	return newJSONRequest(to, payload)
}

// signDingTalk returns DingTalk's signature: an HMAC of timestamp and secret, with the secret as the key.
func signDingTalk(timestamp, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "\n" + secret))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// dingTalkLockout is how long DingTalk blocks a robot that exceeds the rate.
const dingTalkLockout = 10 * time.Minute

var dingTalkErrors = map[string]codeMeaning{
	"40035":  {"the message is not valid", permanentFailure},
	"43004":  {"the message is not valid", permanentFailure},
	"90018":  {"too many messages", rateLimitedFor(dingTalkLockout)},
	"90030":  {"too many messages", rateLimitedFor(dingTalkLockout)},
	"130101": {"too many messages; DingTalk blocks the robot for ten minutes", rateLimitedFor(dingTalkLockout)},
	"300001": {"the robot was removed, or the address is wrong", endpointGone},
	"310000": {"wrong keyword, signature or sender IP address; every message contains “Tandem”", Result{}},
	"410100": {"too many messages", rateLimitedFor(dingTalkLockout)},
	"460101": {"the message is too long", permanentFailure},
}

// Result implements [Format]. DingTalk reports errors with status 200.
func (dingTalk) Result(status int, header http.Header, body []byte, now time.Time) Result {
	return errcodeResult("DingTalk", status, header, body, now, dingTalkErrors)
}

// errcodeResult interprets the responses of DingTalk and WeCom.
func errcodeResult(service string, status int, header http.Header, body []byte, now time.Time, codes map[string]codeMeaning) Result {
	result := httpResult(service, status, header, body, now)
	var response struct {
		Errcode *int
		Errmsg  string
	}
	switch tryJSON(body, &response); {
	case response.Errcode != nil && *response.Errcode != 0:
		return codeResult(service, strconv.Itoa(*response.Errcode), response.Errmsg, codes, result)
	case response.Errcode == nil && result.OK:
		return Result{Reason: formatReason(service, "200", "no errcode in the response: this is not "+service, excerpt(body))}
	}
	return result
}
