package http

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"tandem/domain"
	"tandem/webhooks"
	"tandem/webhooks/formats"
)

const (
	maxAddress = 2000 // characters
	maxSecret  = 1000
)

// checkAddress checks an address and its secrets, and returns the part of it that may be shown. The address that the
// host resolves to is checked when connecting, because it can change.
func (c *writeCall) checkAddress(format formats.Format, address string, secrets ...string) (place string, fieldErrors []domain.FieldError) {
	addError := func(field, message string) {
		fieldErrors = append(fieldErrors, domain.FieldError{Field: field, Message: message})
	}
	target := formats.Target{URL: address}
	for _, text := range secrets {
		if utf8.RuneCountInString(text) > maxSecret {
			addError("secret", "must have at most 1000 characters")
		}
		if text != "" {
			target.Secrets = append(target.Secrets, text)
		}
	}
	parsed, err := url.Parse(address)
	switch {
	case utf8.RuneCountInString(address) > maxAddress:
		addError("url", "must have at most 2000 characters")
	case err != nil || parsed.Host == "" || parsed.Opaque != "" || strings.TrimSpace(address) != address:
		addError("url", "must be an address such as https://ops.example/hook")
	case parsed.Scheme != "https" && (parsed.Scheme != "http" || !c.inPrivateNetwork(parsed.Hostname())):
		addError("url", "must begin with https://")
	default:
		if err := webhooks.CheckHost(parsed, c.cfg.PrivateNetworks); err != nil {
			addError("url", err.Error())
		}
	}
	if len(fieldErrors) > 0 {
		return "", fieldErrors
	}
	if err := format.Check(target); err != nil {
		addError(targetField(err), err.Error())
	}
	return parsed.Scheme + "://" + parsed.Host + "/…", fieldErrors
}

// targetField returns the field of the target that a format's error refers to.
func targetField(err error) string {
	if strings.HasPrefix(err.Error(), "the secret") {
		return "secret"
	}
	return "url"
}

// inPrivateNetwork reports whether a host may lie in one of the private networks, where plain http is allowed. A name
// may; the address that it resolves to is checked when connecting.
func (c *call) inPrivateNetwork(host string) bool {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return len(c.cfg.PrivateNetworks) > 0
	}
	return slices.ContainsFunc(c.cfg.PrivateNetworks, func(network netip.Prefix) bool { return network.Contains(ip.Unmap()) })
}
