package domain

import (
	"slices"
	"time"
)

// WebhookID identifies a webhook of a partner.
type WebhookID string

// WebhookRef identifies a webhook of any partner.
type WebhookRef struct {
	Partner PartnerID `json:"partner"`
	Webhook WebhookID `json:"webhook"`
}

// MaxWebhooks is the maximum number of webhooks of a partner.
const MaxWebhooks = 50

// Webhook is an endpoint that receives a partner's events: a program, or a channel of a chat tool. The rules:
//
// Only managers of the partner manage its webhooks. They are not visible to the operator, because messages
// contain the partner's data. All events about webhooks are private to the partner.
//
// Addresses and secrets are encrypted before they reach a command; this package cannot read them. A rotated
// secret signs for another SecretOverlap.
//
// Tandem disables a webhook whose endpoint is gone. Only a manager enables it again; it then resumes where it
// stopped.
type Webhook struct {
	Ref                WebhookRef
	Settings           WebhookSettings
	Secret             []byte           // encrypted; empty: none
	PreviousSecret     []byte           // encrypted; the secret before the last rotation, which signs until PreviousUntil
	PreviousUntil      time.Time        // zero: no previous secret
	DisabledReason     string           // empty: enabled
	DisabledAt         time.Time        // zero: enabled
	AddedAt            time.Time        // earlier events are not sent
	AgreementsChosenAt time.Time        // when Agreements last changed; zero: when it was added
	Requests           []WebhookRequest // latest requests, oldest first
	Removed            bool
	Versions           Versions
}

// WebhookSettings are the settings that a partner's managers choose. The address is encrypted, because the
// addresses of chat tools contain secrets; DisplayAddress is the part that may be shown.
type WebhookSettings struct {
	Title          string        `json:"title,omitempty"`
	Format         string        `json:"format"`
	Address        []byte        `json:"address"`              // encrypted
	DisplayAddress string        `json:"place"`                // such as https://hooks.slack.com/…
	Events         []string      `json:"events"`               // event types; * matches any rest, as in "milestone.*"
	Agreements     []AgreementID `json:"agreements,omitempty"` // empty: all
	Language       string        `json:"language"`             // en, zh or fi
	IncludePrivate bool          `json:"include_private,omitempty"`
	Digest         Digest        `json:"digest,omitempty"`
	Order          WebhookOrder  `json:"order"`
}

func (s WebhookSettings) validate() (check validation) {
	check.line("title", s.Title, 200, false)
	check.slug("format", s.Format)
	check.sealed("address", s.Address, true)
	check.line("place", s.DisplayAddress, 300, true)
	check.eventPatterns(s.Events)
	for _, agreement := range s.Agreements {
		check.slug("agreements", string(agreement))
	}
	if twice, has := duplicate(s.Agreements); has {
		check.add("agreements", "%s is named twice; name it once", twice)
	}
	if !slices.Contains([]string{"en", "zh", "fi"}, s.Language) {
		check.add("language", "%q is unknown; use en, zh or fi", s.Language)
	}
	if !slices.Contains([]Digest{"", Daily, Weekly}, s.Digest) {
		check.add("digest", "%q is unknown; use daily or weekly", s.Digest)
	}
	if s.Order != Ordered && s.Order != SkipAhead {
		check.add("order", "%q is unknown; use ordered or skip_ahead", s.Order)
	}
	return check
}

// maxSealedBytes limits encrypted values. It exceeds any valid address or secret.
const maxSealedBytes = 10_000

func (v *validation) sealed(field string, b []byte, required bool) {
	switch {
	case len(b) == 0 && required:
		v.add(field, "required")
	case len(b) > maxSealedBytes:
		v.add(field, "is too long; shorten it")
	}
}

func (v *validation) eventPatterns(patterns []string) {
	if len(patterns) == 0 {
		v.add("events", "required; use * for all")
	}
	for _, pattern := range patterns {
		if !matchesAnyType(pattern) {
			v.add("events", "%q matches no event type; use *, an area such as milestone.*, or a type", pattern)
		}
	}
	if twice, has := duplicate(patterns); has {
		v.add("events", "%s is named twice; name it once", twice)
	}
}

// Digest is the period that one message summarises; empty: one message per event.
type Digest string

// The digests are sent at 08:00 in the partner's time zone, every day or every Monday.
const (
	Daily  Digest = "daily"
	Weekly Digest = "weekly"
)

// WebhookOrder says how sending continues after a failing event.
type WebhookOrder string

// The orders: later events wait, or they are sent and the skipped events are summarised.
const (
	Ordered   WebhookOrder = "ordered"
	SkipAhead WebhookOrder = "skip_ahead"
)

// WebhookRequest is a manager's request to send messages. Only the latest are kept.
type WebhookRequest struct {
	Number  int // numbered from 1
	Kind    WebhookRequestKind
	After   string    // for a replay: the position after which to start
	Since   time.Time // for a replay without a position: the time of recording from which to start
	Message string    // for a resend: the id of the message
	At      time.Time // time of recording
}

// WebhookRequestKind is the kind of a WebhookRequest.
type WebhookRequestKind string

// The requests: send a test message; send one message again; send all events again from a position or time on.
const (
	RequestTest   WebhookRequestKind = "test"
	RequestResend WebhookRequestKind = "redeliver"
	RequestReplay WebhookRequestKind = "replay"
)
