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

func chinese() []tool {
	feishu := func(name string) tool {
		return tool{
			name: name, rate: []rate{{n: 5, in: time.Second}, {n: 100, in: minute}}, read: readFeishu,
			took: func(*Fake, Message) answer { return *feishuSays(0, "success") },
			slow: func(time.Duration) answer { return *feishuSays(11232, "frequency limited") },
		}
	}
	ok := func(*Fake, Message) answer { return *errcode(0, "ok") }
	return []tool{
		feishu("feishu"), feishu("lark"),
		{
			name: "dingtalk", rate: []rate{{n: 20, in: minute, block: 10 * minute}}, read: readDingTalk, took: ok,
			slow: func(time.Duration) answer { return *errcode(130101, "send too fast, exceed 20 times per minute") },
		},
		{
			name: "wecom", rate: []rate{{n: 20, in: minute}}, read: readWeCom, took: ok,
			slow: func(time.Duration) answer { return *errcode(45009, "api freq out of limit") },
		},
	}
}

func feishuSays(code int, msg string) *answer {
	return &answer{http.StatusOK, nil, map[string]any{"code": code, "msg": msg, "data": map[string]any{}}}
}

func errcode(code int, msg string) *answer {
	return &answer{http.StatusOK, nil, map[string]any{"errcode": code, "errmsg": msg}}
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

// feishuSigned wants the key to be time and secret, and the message to be empty; an hour either way.
func feishuSigned(f *Fake, at, sign string) bool {
	if len(f.secrets) == 0 {
		return true
	}
	unix, err := strconv.ParseInt(at, 10, 64)
	if err != nil || f.now().Sub(time.Unix(unix, 0)).Abs() > time.Hour {
		return false
	}
	mac := hmac.New(sha256.New, []byte(at+"\n"+f.secrets[0]))
	return sign == base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func readFeishu(f *Fake, r *http.Request, body []byte) (Message, *answer) {
	var shown Message
	if refused := isPost(r, "application/json"); refused != nil {
		return shown, refused
	}
	var m feishuMessage
	if err := strictly(body, &m); err != nil || m.Type != "interactive" || len(body) > 20*1000 {
		return shown, feishuSays(9499, fmt.Sprintf("Bad Request: %v", err))
	}
	if !feishuSigned(f, m.Timestamp, m.Sign) {
		return shown, feishuSays(19021, "sign match fail or timestamp is not within one hour from current time")
	}
	if err := shown.feishuCard(m); err != nil {
		return shown, feishuSays(9499, err.Error())
	}
	if !strings.Contains(shown.Text(), f.keyword) {
		return shown, feishuSays(19024, "Key Words Not Found")
	}
	return shown, nil
}

func (s *Shown) feishuCard(m feishuMessage) error {
	var wrong error
	text := func(t feishuText) string {
		if t.Tag != "plain_text" || t.Content == "" {
			wrong = fmt.Errorf("%s %q", t.Tag, t.Content)
		}
		s.Marks = append(s.Marks, t.Tag)
		s.calls(t.Content, atTag)
		return t.Content
	}
	s.add(text(m.Card.Header.Title))
	for _, e := range m.Card.Elements {
		s.Marks = append(s.Marks, e.Tag)
		if e.Text != nil {
			s.add(text(*e.Text))
		}
		for _, field := range e.Fields {
			s.add(strings.ReplaceAll(text(field.Text), "\n", " | "))
		}
		for _, a := range e.Actions {
			s.add("[ " + text(a.Text) + " ] → " + a.URL)
		}
		for _, t := range e.Elements {
			s.add(text(t))
		}
	}
	return wrong
}

// atTag is how Feishu and WeCom call people.
var atTag = regexp.MustCompile(`<(at\b|@)`)

// dingTalkActive are the characters of the markdown of DingTalk and WeCom.
const dingTalkActive = "*_`[]#<>~|\\"

func readDingTalk(f *Fake, r *http.Request, body []byte) (Message, *answer) {
	var shown Message
	if refused := isPost(r, "application/json"); refused != nil {
		return shown, refused
	}
	if len(f.secrets) > 0 && !dingTalkSigned(f, r.URL.Query().Get("timestamp"), r.URL.Query().Get("sign")) {
		return shown, errcode(310000, "sign not match")
	}
	var m struct {
		Type     string `json:"msgtype"`
		Markdown struct {
			Title string `json:"title"`
			Text  string `json:"text"`
		} `json:"markdown"`
		At struct {
			All bool `json:"isAtAll"`
		} `json:"at"`
	}
	switch err := strictly(body, &m); {
	case err != nil || m.Type != "markdown" || m.Markdown.Title == "" || m.Markdown.Text == "":
		return shown, errcode(40035, "invalid parameter")
	case m.At.All:
		shown.Calls = append(shown.Calls, "isAtAll")
	case len(body) > 20000:
		return shown, errcode(460101, "message too long, exceed 20000 bytes")
	case !strings.Contains(m.Markdown.Title+m.Markdown.Text, f.keyword):
		return shown, errcode(310000, "keywords not in content")
	}
	shown.calls(m.Markdown.Title)
	shown.markdown(m.Markdown.Text, dingTalkActive, false)
	return shown, nil
}

// dingTalkSigned wants the key to be the secret, and the message time and secret; an hour either way.
func dingTalkSigned(f *Fake, at, sign string) bool {
	milliseconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || f.now().Sub(time.UnixMilli(milliseconds)).Abs() > time.Hour {
		return false
	}
	mac := hmac.New(sha256.New, []byte(f.secrets[0]))
	mac.Write([]byte(at + "\n" + f.secrets[0]))
	return sign == base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func readWeCom(f *Fake, r *http.Request, body []byte) (Message, *answer) {
	var shown Message
	if refused := isPost(r, "application/json"); refused != nil {
		return shown, refused
	}
	if len(f.secrets) > 0 && r.URL.Query().Get("key") != f.secrets[0] {
		return shown, errcode(93000, "invalid webhook url")
	}
	var m struct {
		Type     string `json:"msgtype"`
		Markdown struct {
			Content string `json:"content"`
		} `json:"markdown"`
	}
	if err := strictly(body, &m); err != nil || m.Type != "markdown" || m.Markdown.Content == "" {
		return shown, errcode(40008, "invalid message type")
	}
	if len(m.Markdown.Content) > 4096 {
		return shown, errcode(40058, "markdown.content exceed max length 4096")
	}
	shown.calls(m.Markdown.Content, atTag)
	shown.markdown(m.Markdown.Content, dingTalkActive, false)
	return shown, nil
}
