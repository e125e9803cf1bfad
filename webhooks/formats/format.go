// Package formats turns webhook messages into HTTP requests of the receiving services, and their responses into
// results.
//
// A [Format] exists for each kind of receiver: Standard Webhooks and CloudEvents for programs, and one for each chat
// service. Formats are stateless and make no calls; package webhooks sends the requests. Text that users typed is
// escaped, or replaced by look-alikes where a service has no escapes, so that it never becomes markup or a mention.
//
// To add a format, write it in a file of its own, list it in [All], and write a strict fake of its service in package
// webhooktest.
package formats

import (
	"net/http"
	"time"
)

// Content is the text of a message for people: about one event, or a digest of several.
type Content struct {
	Headline    string   // one line that is complete without the rest, for example in a push notification; plain text
	Facts       []Fact   // at most four; plain text
	State       State    // after the event
	Link        string   // an absolute URL
	LinkText    string   // for example "Open in Tandem", in Language
	Thread      string   // groups messages where the service has threads: the milestone's title, else the project's
	Language    string   // en, zh or fi
	DigestLines []string // the headlines of a digest, oldest first; empty for one event
}

// Fact is a named value.
type Fact struct{ Name, Value string }

// State is the state of a milestone, project or agreement, as a word and as a tone that a service may show as a colour.
type State struct {
	Word string // in the language of the content
	Tone Tone
}

// Tone is the colour of a state.
type Tone string

// The tones and their colours.
const (
	Neutral Tone = "neutral" // grey or blue
	Good    Tone = "good"    // green
	Warning Tone = "warning" // amber
	Bad     Tone = "bad"     // red
)

// Message is one webhook message, before a format turns it into a request.
type Message struct {
	ID         string    // the same on every attempt: the event's id, or the id of a digest or test
	Type       string    // of the event, for example milestone.delivered; or webhook.test, webhook.digest
	RecordedAt time.Time // of the event; of the last one in a digest
	Body       []byte    // JSON for programs: {"type","timestamp","data"}
	Content    Content   // text for chat services

	// Members are the display names of members in the message. WithoutMembers writes it without them, for a record that
	// erasure does not reach; nil if there are none.
	Members        []string
	WithoutMembers func() (*Message, error)
}

// Target is the destination of a webhook in plain text. It is secret as a whole.
type Target struct {
	URL     string
	Secrets []string // the current one first, then the one being rotated out; empty: requests are not signed
}

// Format turns messages into requests of one receiving service. Implementations are stateless and safe for concurrent
// use.
type Format interface {
	// Name is the format's name in the API.
	Name() string
	// Limits returns the rate that the service accepts.
	Limits() Limits
	// Check reports a URL or secret that the service cannot use, in words that help a manager to correct it. It does
	// not check which network the host belongs to.
	Check(target Target) error
	// Request returns the request to send at the given time; signatures contain that time. For every user text, the
	// request is within the service's size limits, mentions no one and contains only the format's own markup.
	Request(message Message, target Target, now time.Time) (*http.Request, error)
	// Result interprets the service's response. The body is its first 64 KiB.
	Result(status int, header http.Header, body []byte, now time.Time) Result
}

// Limits is the rate that a service accepts: Burst messages at once, then one each Every.
type Limits struct {
	Every time.Duration // the mean time between messages; 0: no limit
	Burst int
	Chat  bool // people read the messages: a lane that falls behind sends one digest instead of many late messages
}

// Result is how one attempt ended. Without OK and without any of the other flags, the attempt failed and is retried.
type Result struct {
	OK          bool
	Gone        bool          // the endpoint will never accept a message again: the webhook is disabled
	Permanent   bool          // a permanent failure of this message: a retry cannot succeed
	RateLimited bool          // the rate was exceeded; this does not count as a failure of the endpoint
	RetryAfter  time.Duration // the earliest time of the next message, after a success too; 0: the sender decides
	Reason      string        // for people, for example "Feishu code 19021: wrong signature or time"; empty if OK
	Note        string        // a limitation of a success, for example that the service validates the message later
}
