package formats

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// vendorHosts are the hosts that accept one format only.
var vendorHosts = []struct{ suffix, format, service string }{
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

// parseAddress parses a target's URL. It rejects URLs that no format can use, URLs of a service with another format,
// and plain http to the hosts of a vendor.
func parseAddress(target Target, format string) (*url.URL, error) {
	parsed, err := url.Parse(strings.TrimSpace(target.URL))
	switch {
	case target.URL == "":
		return nil, errors.New("the address is missing")
	case err != nil || parsed.Host == "" || (parsed.Scheme != "https" && parsed.Scheme != "http"):
		return nil, errors.New("the address is not a URL: it must begin with https:// and name a host")
	case parsed.User != nil:
		return nil, errors.New("the address contains a user name or password: use the secret field instead")
	case parsed.Fragment != "":
		return nil, errors.New("the address has a fragment after #, which is never sent: remove it")
	}
	host := strings.ToLower(parsed.Hostname())
	for _, vendor := range vendorHosts {
		if host != vendor.suffix && !strings.HasSuffix(host, "."+vendor.suffix) {
			continue
		}
		if vendor.format != format {
			return nil, fmt.Errorf("the address belongs to %s: choose the format %s", vendor.service, vendor.format)
		}
		if parsed.Scheme != "https" {
			return nil, fmt.Errorf("%s accepts only https", vendor.service)
		}
	}
	return parsed, nil
}

// requireSecret returns an error if the target has no secret; description says where to find it.
func requireSecret(target Target, description string) error {
	if len(target.Secrets) == 0 {
		return fmt.Errorf("the secret is missing: enter %s", description)
	}
	return nil
}

// currentSecret returns the first secret, or "" without one.
func (t Target) currentSecret() string {
	if len(t.Secrets) == 0 {
		return ""
	}
	return strings.TrimSpace(t.Secrets[0])
}
