package webhooks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Formats returns all formats there are, the ones for programs first.
func Formats() []Format {
	return []Format{
		standard{},
		cloudEvents{},
		slack{},
		teams{},
		feishu{"feishu", "Feishu", "open.feishu.cn"},
		feishu{"lark", "Lark", "open.larksuite.com"},
		dingTalk{},
		weCom{},
		discord{},
		mattermost{},
		googleChat{},
		telegram{},
		matrix{},
		rocketChat{},
		zulip{},
	}
}

// FormatNamed returns the format with a name.
func FormatNamed(name string) (Format, bool) {
	for _, f := range Formats() {
		if f.Name() == name {
			return f, true
		}
	}
	return nil, false
}

// post returns a request with a body.
func post(method, address, contentType string, body []byte) (*http.Request, error) {
	r, err := http.NewRequest(method, strings.TrimSpace(address), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the address cannot be used") // not what it says: addresses hold secrets
	}
	r.Header.Set("Content-Type", contentType)
	return r, nil
}

func postJSON(address string, body any) (*http.Request, error) {
	return post(http.MethodPost, address, "application/json; charset=utf-8", jsonOf(body))
}

// jsonOf writes JSON without the escapes that are for HTML: they would count against a tool's limits.
func jsonOf(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("webhooks: a body that JSON cannot say: %v", err)) // the formats' own types only
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// vendors are the hosts of which one format alone makes sense.
var vendors = []struct{ suffix, format, tool string }{
	{"hooks.slack.com", "slack", "Slack"},
	{"logic.azure.com", "teams", "Microsoft Teams"},
	{"api.powerplatform.com", "teams", "Microsoft Teams"},
	{"open.feishu.cn", "feishu", "Feishu"},
	{"open.larksuite.com", "lark", "Lark"},
	{"oapi.dingtalk.com", "dingtalk", "DingTalk"},
	{"qyapi.weixin.qq.com", "wecom", "WeCom"},
	{"discord.com", "discord", "Discord"},
	{"discordapp.com", "discord", "Discord"},
	{"chat.googleapis.com", "google-chat", "Google Chat"},
	{"api.telegram.org", "telegram", "Telegram"},
}

// address reads a target's address and says what is wrong with it for a format: what no tool can use, and
// addresses of another tool. The vendors' own are https only.
func address(t Target, format string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(t.URL))
	switch {
	case t.URL == "":
		return nil, errors.New("the address is missing")
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return nil, errors.New("this is not an address: it must begin with https:// and name a host")
	case u.User != nil:
		return nil, errors.New("the address holds a user name or password: put a secret into the field for it instead")
	case u.Fragment != "":
		return nil, errors.New("the address has a part after #, which is never sent: leave it out")
	}
	host := strings.ToLower(u.Hostname())
	for _, v := range vendors {
		if host != v.suffix && !strings.HasSuffix(host, "."+v.suffix) {
			continue
		}
		if v.format != format {
			return nil, fmt.Errorf("this is an address of %s: choose the format %s", v.tool, v.format)
		}
		if u.Scheme != "https" {
			return nil, fmt.Errorf("%s takes https only", v.tool)
		}
	}
	return u, nil
}

// single says when a tool that takes one secret, or none, was given another.
func single(t Target, needed bool, what string) error {
	if needed && len(t.Secrets) == 0 {
		return fmt.Errorf("the secret is missing: it is %s", what)
	}
	return nil
}

// secret is the present one, or empty.
func (t Target) secret() string {
	if len(t.Secrets) == 0 {
		return ""
	}
	return strings.TrimSpace(t.Secrets[0])
}

// with returns an address with these parameters added to its query, in place of any of the same name.
func with(address string, parameters ...string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		return "", errors.New("the address cannot be used")
	}
	q := u.Query()
	for i := 0; i+1 < len(parameters); i += 2 {
		q.Set(parameters[i], parameters[i+1])
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}
