package formats

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// feishu is a custom bot of Feishu, or of Lark, its international edition. All texts are plain_text elements, which
// have no markup and no mentions. Every message contains the word Tandem, for bots that require a keyword.
type feishu struct{ name, service, host string }

// Name implements [Format].
func (f feishu) Name() string { return f.name }

// Limits implements [Format]. Feishu accepts 100 messages a minute and 5 a second.
func (feishu) Limits() Limits { return Limits{Every: 650 * time.Millisecond, Burst: 4, Chat: true} }

// Check implements [Format].
func (f feishu) Check(target Target) error {
	parsed, err := parseAddress(target, f.name)
	if err != nil {
		return err
	}
	if !strings.Contains(parsed.Path, "/bot/v2/hook/") {
		return errors.New("the address is not a custom bot's: add one to the group and copy its webhook URL, https://" +
			f.host + "/open-apis/bot/v2/hook/…")
	}
	return nil
}

type feishuText struct {
	Tag     string `json:"tag"`
	Content string `json:"content"`
}

type feishuField struct {
	Short bool       `json:"is_short"`
	Text  feishuText `json:"text"`
}

type feishuElement struct {
	Tag      string         `json:"tag"`
	Text     *feishuText    `json:"text,omitempty"`
	Fields   []feishuField  `json:"fields,omitempty"`
	Actions  []feishuButton `json:"actions,omitempty"`
	Elements []feishuText   `json:"elements,omitempty"`
}

type feishuButton struct {
	Tag  string     `json:"tag"`
	Text feishuText `json:"text"`
	Type string     `json:"type"`
	URL  string     `json:"url"`
}

type feishuCard struct {
	Config struct {
		Wide bool `json:"wide_screen_mode"`
	} `json:"config"`
	Header struct {
		Title    feishuText `json:"title"`
		Template string     `json:"template"`
	} `json:"header"`
	Elements []feishuElement `json:"elements"`
}

type feishuMessage struct {
	Timestamp string     `json:"timestamp,omitempty"`
	Sign      string     `json:"sign,omitempty"`
	Type      string     `json:"msg_type"`
	Card      feishuCard `json:"card"`
}

// feishuPlain returns a plain_text element.
func feishuPlain(text string) feishuText { return feishuText{"plain_text", text} }

// Request implements [Format].
func (f feishu) Request(message Message, target Target, now time.Time) (*http.Request, error) {
	rules := textRules{escapeTags, jsonLength}
	layout := rules.layout(message.Content, textLimits{headline: 900, name: 100, value: 1500, line: 400, allLines: 7000, perLine: 6})
	payload := feishuMessage{Type: "interactive"}
	if secret := target.currentSecret(); secret != "" {
		payload.Timestamp = strconv.FormatInt(now.Unix(), 10)
		payload.Sign = signFeishu(payload.Timestamp, secret)
	}
	payload.Card.Config.Wide = true
	payload.Card.Header.Title = feishuPlain(layout.Headline)
	payload.Card.Header.Template = byTone(layout.Tone, "blue", "green", "orange", "red")
	add := func(element feishuElement) { payload.Card.Elements = append(payload.Card.Elements, element) }
	word := feishuPlain(layout.status())
	add(feishuElement{Tag: "div", Text: &word})
	if len(layout.Lines) > 0 {
		lines := feishuPlain(layout.bullets("\n"))
		add(feishuElement{Tag: "div", Text: &lines})
	}
	var fields []feishuField
	for _, fact := range layout.Facts {
		fields = append(fields, feishuField{true, feishuPlain(fact.Name + "\n" + fact.Value)})
	}
	if len(fields) > 0 {
		add(feishuElement{Tag: "div", Fields: fields})
	}
	if layout.Link != "" {
		add(feishuElement{Tag: "action", Actions: []feishuButton{{"button", feishuPlain(layout.LinkText), "primary", layout.Link}}})
	}
	add(feishuElement{Tag: "note", Elements: []feishuText{feishuPlain("Tandem")}})
	return newJSONRequest(target.URL, payload)
}

// signFeishu returns Feishu's signature: an HMAC of the empty message, with timestamp and secret as the key.
func signFeishu(timestamp, secret string) string {
	return base64.StdEncoding.EncodeToString(hmac.New(sha256.New, []byte(timestamp+"\n"+secret)).Sum(nil))
}

var feishuErrors = map[string]codeMeaning{
	"9499":  {"the message is not valid", permanentFailure},
	"11232": {"too many messages, or Feishu is overloaded, as at the full and half hour", rateLimitedFor(time.Minute)},
	"19001": {"the bot was removed, or the address is wrong", endpointGone},
	"19021": {"wrong signature or time", Result{}},
	"19022": {"the sender's IP address is not on the bot's allowlist", Result{}},
	"19024": {"the bot requires another keyword; every message contains “Tandem”", Result{}},
}

// Result implements [Format]. Feishu reports errors with status 200 too.
func (f feishu) Result(status int, header http.Header, body []byte, now time.Time) Result {
	result := httpResult(f.service, status, header, body, now)
	var response struct {
		Code *int
		Msg  string
	}
	switch tryJSON(body, &response); {
	case response.Code != nil && *response.Code != 0:
		return codeResult(f.service, strconv.Itoa(*response.Code), response.Msg, feishuErrors, result)
	case response.Code == nil && result.OK:
		return Result{Reason: formatReason(f.service, "200", "no code in the response: this is not "+f.service, excerpt(body))}
	}
	return result
}
