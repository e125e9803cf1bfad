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
	for _, format := range Formats() {
		if format.Name() == name {
			return format, true
		}
	}
	return nil, false
}

// newRequest returns a request with a body.
func newRequest(method, address, contentType string, body []byte) (*http.Request, error) {
	request, err := http.NewRequest(method, strings.TrimSpace(address), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the address cannot be used") // not what it says: addresses hold secrets
	}
	request.Header.Set("Content-Type", contentType)
	return request, nil
}

func newJSONRequest(address string, body any) (*http.Request, error) {
	return newRequest(http.MethodPost, address, "application/json; charset=utf-8", encodeJSON(body))
}

// encodeJSON writes JSON without the escapes that are for HTML: they would count against a tool's limits.
func encodeJSON(value any) []byte {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(fmt.Sprintf("webhooks: a body that JSON cannot say: %v", err)) // the formats' own types only
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))
}

// vendorHosts are the hosts of which one format alone makes sense.
var vendorHosts = []struct{ suffix, format, tool string }{
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

// parseAddress reads a target's address and says what is wrong with it for a format: what no tool can use, and
// addresses of another tool. The vendors' own are https only.
func parseAddress(target Target, format string) (*url.URL, error) {
	parsed, err := url.Parse(strings.TrimSpace(target.URL))
	switch {
	case target.URL == "":
		return nil, errors.New("the address is missing")
	case err != nil || parsed.Host == "" || (parsed.Scheme != "https" && parsed.Scheme != "http"):
		return nil, errors.New("this is not an address: it must begin with https:// and name a host")
	case parsed.User != nil:
		return nil, errors.New("the address holds a user name or password: put a secret into the field for it instead")
	case parsed.Fragment != "":
		return nil, errors.New("the address has a part after #, which is never sent: leave it out")
	}
	host := strings.ToLower(parsed.Hostname())
	for _, vendor := range vendorHosts {
		if host != vendor.suffix && !strings.HasSuffix(host, "."+vendor.suffix) {
			continue
		}
		if vendor.format != format {
			return nil, fmt.Errorf("this is an address of %s: choose the format %s", vendor.tool, vendor.format)
		}
		if parsed.Scheme != "https" {
			return nil, fmt.Errorf("%s takes https only", vendor.tool)
		}
	}
	return parsed, nil
}

// requireSecret says when a tool that takes one secret, or none, was given another.
func requireSecret(target Target, needed bool, what string) error {
	if needed && len(target.Secrets) == 0 {
		return fmt.Errorf("the secret is missing: it is %s", what)
	}
	return nil
}

// currentSecret is the present one, or empty.
func (t Target) currentSecret() string {
	if len(t.Secrets) == 0 {
		return ""
	}
	return strings.TrimSpace(t.Secrets[0])
}

// withParameters returns an address with these parameters added to its query, in place of any of the same name.
func withParameters(address string, parameters ...string) (string, error) {
	parsed, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		return "", errors.New("the address cannot be used")
	}
	query := parsed.Query()
	for i := 0; i+1 < len(parameters); i += 2 {
		query.Set(parameters[i], parameters[i+1])
	}
	parsed.RawQuery = query.Encode()
	return parsed.String(), nil
}
