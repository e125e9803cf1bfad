package webhooktest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const minute = time.Minute

func chineseServices() []service {
	feishu := func(name string) service {
		return service{
			name: name, rates: []rateLimit{{count: 5, period: time.Second}, {count: 100, period: minute}}, read: readFeishu,
			accept:      func(*Fake, Message) response { return *feishuResponse(0, "success") },
			rateLimited: func(time.Duration) response { return *feishuResponse(11232, "frequency limited") },
		}
	}
	ok := func(*Fake, Message) response { return *errcodeResponse(0, "ok") }
	return []service{
		feishu("feishu"), feishu("lark"),
		{
			name: "dingtalk", rates: []rateLimit{{count: 20, period: minute, lockout: 10 * minute}}, read: readDingTalk, accept: ok,
			rateLimited: func(time.Duration) response {
				return *errcodeResponse(130101, "send too fast, exceed 20 times per minute")
			},
		},
		{
			name: "wecom", rates: []rateLimit{{count: 20, period: minute}}, read: readWeCom, accept: ok,
			rateLimited: func(time.Duration) response { return *errcodeResponse(45009, "api freq out of limit") },
		},
	}
}

func feishuResponse(code int, msg string) *response {
	return &response{http.StatusOK, nil, map[string]any{"code": code, "msg": msg, "data": map[string]any{}}}
}

func errcodeResponse(code int, msg string) *response {
	return &response{http.StatusOK, nil, map[string]any{"errcode": code, "errmsg": msg}}
}

type feishuText struct {
	Tag     string `json:"tag"`
	Content string `json:"content"`
}

type feishuElement struct {
	Tag    string      `json:"tag"`
	Text   *feishuText `json:"text"`
	Fields []struct {
		Short bool       `json:"is_short"`
		Text  feishuText `json:"text"`
	} `json:"fields"`
	Actions []struct {
		Tag  string     `json:"tag"`
		Text feishuText `json:"text"`
		Type string     `json:"type"`
		URL  string     `json:"url"`
	} `json:"actions"`
	Elements []feishuText `json:"elements"`
}

type feishuMessage struct {
	Timestamp string `json:"timestamp"`
	Sign      string `json:"sign"`
	Type      string `json:"msg_type"`
	Card      struct {
		Config struct {
			Wide bool `json:"wide_screen_mode"`
		} `json:"config"`
		Header struct {
			Title    feishuText `json:"title"`
			Template string     `json:"template"`
		} `json:"header"`
		Elements []feishuElement `json:"elements"`
	} `json:"card"`
}

// verifyFeishu checks an HMAC of the empty message, with timestamp and secret as the key. The clock may differ by an
// hour.
func verifyFeishu(fake *Fake, at, sign string) bool {
	if len(fake.secrets) == 0 {
		return true
	}
	unix, err := strconv.ParseInt(at, 10, 64)
	if err != nil || fake.now().Sub(time.Unix(unix, 0)).Abs() > time.Hour {
		return false
	}
	mac := hmac.New(sha256.New, []byte(at+"\n"+fake.secrets[0]))
	return sign == base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func readFeishu(fake *Fake, r *http.Request, body []byte) (Message, *response) {
	var message Message
	if refusal := requirePost(r, "application/json"); refusal != nil {
		return message, refusal
	}
	var payload feishuMessage
	if err := decodeStrict(body, &payload); err != nil || payload.Type != "interactive" || len(body) > 20*1000 {
		return message, feishuResponse(9499, fmt.Sprintf("Bad Request: %v", err))
	}
	if !verifyFeishu(fake, payload.Timestamp, payload.Sign) {
		return message, feishuResponse(19021, "sign match fail or timestamp is not within one hour from current time")
	}
	if err := message.addFeishuCard(payload); err != nil {
		return message, feishuResponse(9499, err.Error())
	}
	if !strings.Contains(message.Text(), fake.keyword) {
		return message, feishuResponse(19024, "Key Words Not Found")
	}
	return message, nil
}

func (r *Rendered) addFeishuCard(payload feishuMessage) error {
	var wrong error
	text := func(element feishuText) string {
		if element.Tag != "plain_text" || element.Content == "" {
			wrong = fmt.Errorf("%s %q", element.Tag, element.Content)
		}
		r.Markup = append(r.Markup, element.Tag)
		r.addMentions(element.Content, mentionTag)
		return element.Content
	}
	r.addText(text(payload.Card.Header.Title))
	for _, element := range payload.Card.Elements {
		r.Markup = append(r.Markup, element.Tag)
		if element.Text != nil {
			r.addText(text(*element.Text))
		}
		for _, field := range element.Fields {
			r.addText(strings.ReplaceAll(text(field.Text), "\n", " | "))
		}
		for _, action := range element.Actions {
			r.addText("[ " + text(action.Text) + " ] → " + action.URL)
		}
		for _, element := range element.Elements {
			r.addText(text(element))
		}
	}
	return wrong
}

// mentionTag matches mentions of Feishu and WeCom.
var mentionTag = regexp.MustCompile(`<(at\b|@)`)

// dingTalkMarkup contains the markup characters of DingTalk and WeCom.
const dingTalkMarkup = "*_`[]#<>~|\\"

func readDingTalk(fake *Fake, r *http.Request, body []byte) (Message, *response) {
	var message Message
	if refusal := requirePost(r, "application/json"); refusal != nil {
		return message, refusal
	}
	if len(fake.secrets) > 0 && !verifyDingTalk(fake, r.URL.Query().Get("timestamp"), r.URL.Query().Get("sign")) {
		return message, errcodeResponse(310000, "sign not match")
	}
	var payload struct {
		Type     string `json:"msgtype"`
		Markdown struct {
			Title string `json:"title"`
			Text  string `json:"text"`
		} `json:"markdown"`
		At struct {
			All bool `json:"isAtAll"`
		} `json:"at"`
	}
	switch err := decodeStrict(body, &payload); {
	case err != nil || payload.Type != "markdown" || payload.Markdown.Title == "" || payload.Markdown.Text == "":
		return message, errcodeResponse(40035, "invalid parameter")
	case payload.At.All:
		message.Mentions = append(message.Mentions, "isAtAll")
	case len(body) > 20000:
		return message, errcodeResponse(460101, "message too long, exceed 20000 bytes")
	case !strings.Contains(payload.Markdown.Title+payload.Markdown.Text, fake.keyword):
		return message, errcodeResponse(310000, "keywords not in content")
	}
	message.addMentions(payload.Markdown.Title)
	message.addMarkdown(payload.Markdown.Text, dingTalkMarkup, false)
	return message, nil
}

// verifyDingTalk checks an HMAC of timestamp and secret, with the secret as the key. The clock may differ by an hour.
func verifyDingTalk(fake *Fake, at, sign string) bool {
	milliseconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || fake.now().Sub(time.UnixMilli(milliseconds)).Abs() > time.Hour {
		return false
	}
	mac := hmac.New(sha256.New, []byte(fake.secrets[0]))
	mac.Write([]byte(at + "\n" + fake.secrets[0]))
	return sign == base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func readWeCom(fake *Fake, r *http.Request, body []byte) (Message, *response) {
	var message Message
	if refusal := requirePost(r, "application/json"); refusal != nil {
		return message, refusal
	}
	if len(fake.secrets) > 0 && r.URL.Query().Get("key") != fake.secrets[0] {
		return message, errcodeResponse(93000, "invalid webhook url")
	}
	var payload struct {
		Type     string `json:"msgtype"`
		Markdown struct {
			Content string `json:"content"`
		} `json:"markdown"`
	}
	if err := decodeStrict(body, &payload); err != nil || payload.Type != "markdown" || payload.Markdown.Content == "" {
		return message, errcodeResponse(40008, "invalid message type")
	}
	if len(payload.Markdown.Content) > 4096 {
		return message, errcodeResponse(40058, "markdown.content exceed max length 4096")
	}
	message.addMentions(payload.Markdown.Content, mentionTag)
	message.addMarkdown(payload.Markdown.Content, dingTalkMarkup, false)
	return message, nil
}
