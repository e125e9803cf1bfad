package webhooks

import (
	"net/http"
	"time"
)

// Content is what every chat format says of an event, or of several that are summed up.
type Content struct {
	Headline    string // one line that reads alone, such as in a push notification; plain text
	Facts       []Fact // at most four; plain text
	State       State
	Link        string   // an absolute URL
	LinkText    string   // such as "Open in Tandem", in the language of the message
	Thread      string   // what a tool with threads files it under: the milestone's title, else the project's
	Language    string   // en, zh or fi
	DigestLines []string // the headlines that are summed up, oldest first; none: it is about one event
}

// Fact is a named value.
type Fact struct{ Name, Value string }

// State is how things stand, as a word and as a tone that a tool may show as a colour.
type State struct {
	Word string // in the language of the message
	Tone Tone
}

// Tone is the colour of a state.
type Tone string

// The tones.
const (
	Neutral Tone = "neutral" // grey or blue
	Good    Tone = "good"    // green
	Warning Tone = "warning" // amber
	Bad     Tone = "bad"     // red
)

// Message is one thing to be said, to be put into a format.
type Message struct {
	ID         string    // stable: the same on every attempt. The event's id where it is about one
	Type       string    // of the event, such as milestone.delivered; webhook.test, webhook.digest
	RecordedAt time.Time // when the event was recorded
	Body       []byte    // of the standard format: {"type","timestamp","data"}
	Content    Content
}

// Target is where to, opened.
type Target struct {
	URL     string
	Secrets []string // the present one first, then those that are being rotated away; none: not signed
}

// Format puts deliveries into the form of one tool. Implementations are stateless and safe for
// concurrent use.
type Format interface {
	// Name is the format's name in the API.
	Name() string
	// Limits is how fast the tool may be called at most.
	Limits() Limits
	// Check says what is wrong with an address or secret for this tool, in words for a person: errors
	// of the kind that a manager can mend. It does not look at where the host is.
	Check(target Target) error
	// Request returns the request to send at the given time. Whatever the user's text is, the request is within
	// the tool's limits, mentions nobody and has no markup but the format's own.
	Request(message Message, target Target, now time.Time) (*http.Request, error)
	// Result reads the tool's answer. The body is its first 64 KiB.
	Result(status int, header http.Header, body []byte, now time.Time) Result
}

// Limits is a tool's rate: at most Burst at once, and then one each Every.
type Limits struct {
	Every time.Duration // the mean time from one message to the next; 0: no limit
	Burst int
	Chat  bool // read by people: lagging messages are better summed up than late
}

// Result is what became of one attempt.
type Result struct {
	OK          bool
	Gone        bool          // the endpoint wants nothing more, for ever: disable it
	Permanent   bool          // this message will never be taken; trying again is no use
	RetryAfter  time.Duration // not before, the next message too after a success; 0: as one's own schedule says
	RateLimited bool          // the rate was exceeded: it is no failure of the endpoint
	Reason      string        // decoded, for a person: "Feishu code 19021: signature or time"; empty if OK
	Note        string        // what a success leaves open, such as "accepted; Teams checks the card later"
}
