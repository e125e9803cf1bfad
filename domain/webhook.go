package domain

import (
	"slices"
	"time"
)

// WebhookID names a webhook of a partner.
type WebhookID string

// WebhookRef names a webhook across partners.
type WebhookRef struct {
	Partner PartnerID `json:"partner"`
	Webhook WebhookID `json:"webhook"`
}

// MaxWebhooks is how many webhooks a partner may have at a time.
const MaxWebhooks = 50

// Webhook is an endpoint that a partner wants to be told at: a program, or a room of a chat tool. The
// rules:
//
// Only managers of the partner itself keep its webhooks: what is delivered is the partner's content, so
// that to the operator there are none. All events about webhooks are private to the partner.
//
// Addresses and secrets are sealed before they reach a command; nothing here can read them. A secret that
// was rotated away signs for SecretOverlap longer.
//
// Tandem itself disables a webhook whose endpoint is gone; only a manager enables it again, and nothing is
// lost in between.
type Webhook struct {
	Ref                WebhookRef
	Settings           WebhookSettings
	Secret             []byte           // sealed; empty: none
	PreviousSecret     []byte           // sealed: the secret before the last rotation, which still signs until OldUntil
	PreviousUntil      time.Time        // zero: there is none
	DisabledReason     string           // why nothing is delivered; empty: it is
	DisabledAt         time.Time        // since when it is disabled
	AddedAt            time.Time        // what was recorded before is not delivered: when it was added
	AgreementsChosenAt time.Time        // since when its agreements are what they are; zero: since it was added
	Requests           []WebhookRequest // the latest, oldest first
	Removed            bool
	Versions           Versions
}

// WebhookSettings is what a partner's managers choose. The address is sealed by the edge, because chat
// tools put their secrets into it; Place is what may be shown of it.
type WebhookSettings struct {
	Title          string        `json:"title,omitempty"`
	Format         string        `json:"format"`
	Address        []byte        `json:"address"`              // sealed
	DisplayAddress string        `json:"place"`                // such as https://hooks.slack.com/…
	Events         []string      `json:"events"`               // types, with * for any rest: "milestone.*"
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
		check.add("agreements", "names %s twice", twice)
	}
	if !slices.Contains([]string{"en", "zh", "fi"}, s.Language) {
		check.add("language", "%q is not one of en, zh, fi", s.Language)
	}
	if !slices.Contains([]Digest{"", Daily, Weekly}, s.Digest) {
		check.add("digest", "%q is neither daily nor weekly", s.Digest)
	}
	if s.Order != Ordered && s.Order != SkipAhead {
		check.add("order", "%q is neither ordered nor skip_ahead", s.Order)
	}
	return check
}

// maxSealedBytes is the greatest length of something sealed, in bytes: more than any address or secret has.
const maxSealedBytes = 10_000

func (v *validation) sealed(field string, b []byte, required bool) {
	switch {
	case len(b) == 0 && required:
		v.add(field, "is required")
	case len(b) > maxSealedBytes:
		v.add(field, "is too long")
	}
}

func (v *validation) eventPatterns(patterns []string) {
	if len(patterns) == 0 {
		v.add("events", "is required; * stands for all")
	}
	for _, pattern := range patterns {
		if !matchesAnyType(pattern) {
			v.add("events", "%q is neither *, nor an area such as milestone.*, nor a type of event", pattern)
		}
	}
	if twice, has := duplicate(patterns); has {
		v.add("events", "has %s twice", twice)
	}
}

// Digest says how often one message sums up what happened; empty: every event has its own.
type Digest string

// The digests: at 08:00 in the partner's zone, of every day or of every Monday.
const (
	Daily  Digest = "daily"
	Weekly Digest = "weekly"
)

// WebhookOrder says what happens behind an event that cannot be delivered.
type WebhookOrder string

// The orders: the rest waits, or it goes ahead and what lagged is summed up.
const (
	Ordered   WebhookOrder = "ordered"
	SkipAhead WebhookOrder = "skip_ahead"
)

// WebhookRequest is something that a manager asks of the deliveries. The latest few are kept.
type WebhookRequest struct {
	Number  int // from 1
	Kind    WebhookRequestKind
	After   string    // of a replay: the position after which to begin
	Since   time.Time // of a replay without a position: the time of recording from which to begin
	Message string    // to deliver again
	At      time.Time // recorded
}

// WebhookRequestKind is what is asked for.
type WebhookRequestKind string

// The requests: a message that says it is a test; one delivery again, beside the others; all events
// again from a place on.
const (
	RequestTest   WebhookRequestKind = "test"
	RequestResend WebhookRequestKind = "redeliver"
	RequestReplay WebhookRequestKind = "replay"
)
