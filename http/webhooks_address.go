package http

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"tandem/domain"
	"tandem/webhooks"
)

const (
	maxAddress = 2000 // characters
	maxSecret  = 1000
)

// placeOf checks an address with its secrets, and returns what may be shown of it. Where the host leads
// is checked when it is dialled: a name can lead elsewhere by then.
func (q *writing) placeOf(f webhooks.Format, address string, secrets ...string) (place string, faults []domain.FieldError) {
	fault := func(field, message string) {
		faults = append(faults, domain.FieldError{Field: field, Message: message})
	}
	t := webhooks.Target{URL: address}
	for _, s := range secrets {
		if utf8.RuneCountInString(s) > maxSecret {
			fault("secret", "has at most 1000 characters")
		}
		if s != "" {
			t.Secrets = append(t.Secrets, s)
		}
	}
	u, err := url.Parse(address)
	switch {
	case utf8.RuneCountInString(address) > maxAddress:
		fault("url", "has at most 2000 characters")
	case err != nil || u.Host == "" || u.Opaque != "" || strings.TrimSpace(address) != address:
		fault("url", "is not an address such as https://ops.example/hook")
	case u.Scheme != "https" && (u.Scheme != "http" || !q.private(u.Hostname())):
		fault("url", "must begin with https://")
	default:
		if err := webhooks.CheckHost(u, q.PrivateWebhooks); err != nil {
			fault("url", err.Error())
		}
	}
	if len(faults) > 0 {
		return "", faults
	}
	if err := f.Check(t); err != nil {
		fault(faultyField(err), err.Error())
	}
	return u.Scheme + "://" + u.Host + "/…", faults
}

// faultyField says what of a target a format complains of.
func faultyField(err error) string {
	if strings.HasPrefix(err.Error(), "the secret") {
		return "secret"
	}
	return "url"
}

// private reports whether a host may lie in one of the private networks, where plain http is taken. A name
// may; what it resolves to is checked when it is dialled.
func (q *call) private(host string) bool {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return len(q.PrivateWebhooks) > 0
	}
	return slices.ContainsFunc(q.PrivateWebhooks, func(n netip.Prefix) bool { return n.Contains(ip.Unmap()) })
}
