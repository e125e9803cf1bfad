package webhooktest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Names returns the names of the formats with a fake.
func Names() []string {
	names := make([]string, 0, len(services()))
	for _, service := range services() {
		names = append(names, service.name)
	}
	return names
}

// Fake is one endpoint of a service. It is safe for concurrent use.
type Fake struct {
	service service
	secrets []string
	keyword string
	now     func() time.Time
	rates   []rateLimit

	mu           sync.Mutex
	requestTimes []time.Time // recent accepted requests, for the rate limits
	blockedUntil time.Time
	messages     []Message
	received     chan Message
	seenIDs      map[string]bool
}

// Message is an accepted message.
type Message struct {
	Rendered

	ID         string // the message id, if the request contains it
	Header     http.Header
	Body       []byte
	ReceivedAt time.Time
}

// Rendered is a message as people see it, with the markup and mentions in it.
type Rendered struct {
	Lines    []string // the text without markup
	Mentions []string // mentions that would notify people
	Markup   []string // all markup, in order
}

// Option configures a Fake.
type Option func(*Fake)

// Secrets sets the accepted secrets: signing secrets, an access token, or the name and key of a bot. Without secrets,
// the fake accepts every request.
func Secrets(secrets ...string) Option { return func(fake *Fake) { fake.secrets = secrets } }

// Clock replaces the system clock.
func Clock(now func() time.Time) Option { return func(fake *Fake) { fake.now = now } }

// Keyword makes the fake reject messages without a word, if the service has this option.
func Keyword(word string) Option { return func(fake *Fake) { fake.keyword = word } }

// Rate replaces the rate limits of the service by n messages per period. With n = 0 the rate is unlimited.
func Rate(n int, in time.Duration) Option {
	return func(fake *Fake) {
		var block time.Duration
		for _, limit := range fake.rates {
			block = max(block, limit.lockout)
		}
		fake.rates = nil
		if n > 0 {
			fake.rates = []rateLimit{{n, in, block}}
		}
	}
}

// rateLimit allows count messages per period. After an excess message, the service rejects all messages during lockout.
type rateLimit struct {
	count   int
	period  time.Duration
	lockout time.Duration
}

// response is the response of a service.
type response struct {
	status int
	header map[string]string
	body   any // a string is sent unchanged, other values as JSON
}

// service parses the requests of one service and builds its responses.
type service struct {
	name        string
	rates       []rateLimit
	read        func(fake *Fake, r *http.Request, body []byte) (Message, *response) // a non-nil response rejects the request
	accept      func(fake *Fake, message Message) response
	rateLimited func(after time.Duration) response
}

// NewFake returns an endpoint of the service with the given format name. It panics if there is no such fake.
func NewFake(name string, options ...Option) *Fake {
	for _, service := range services() {
		if service.name != name {
			continue
		}
		fake := &Fake{service: service, now: time.Now, rates: service.rates, seenIDs: map[string]bool{}}
		for _, option := range options {
			option(fake)
		}
		return fake
	}
	panic(fmt.Sprintf("webhooktest: no fake for format %q", name))
}

// ServeHTTP implements [http.Handler].
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	writeResponse(w, f.respond(r, body))
}

func (f *Fake) respond(r *http.Request, body []byte) response {
	f.mu.Lock()
	defer f.mu.Unlock()
	if after := f.checkRate(); after > 0 {
		return f.service.rateLimited(after)
	}
	message, refusal := f.service.read(f, r, body)
	if refusal != nil {
		return *refusal
	}
	message.Header, message.Body, message.ReceivedAt = r.Header.Clone(), body, f.now()
	if message.ID == "" || !f.seenIDs[f.service.name+message.ID] || !deduplicating[f.service.name] {
		f.messages = append(f.messages, message)
		if f.received != nil {
			f.received <- message
		}
	}
	f.seenIDs[f.service.name+message.ID] = true
	return f.service.accept(f, message)
}

// deduplicating are the services that show a message with a known id only once.
var deduplicating = map[string]bool{"matrix": true, "google-chat": true}

// checkRate counts a request. If a rate limit is exceeded, it returns how long the sender must wait.
func (f *Fake) checkRate() time.Duration {
	now := f.now()
	if f.blockedUntil.After(now) {
		return f.blockedUntil.Sub(now)
	}
	for _, limit := range f.rates {
		first := len(f.requestTimes) - limit.count
		if first < 0 || now.Sub(f.requestTimes[first]) >= limit.period {
			continue
		}
		if limit.lockout > 0 {
			f.blockedUntil = now.Add(limit.lockout)
			return limit.lockout
		}
		return f.requestTimes[first].Add(limit.period).Sub(now)
	}
	f.requestTimes = append(f.requestTimes, now)
	if len(f.requestTimes) > 1000 {
		f.requestTimes = f.requestTimes[len(f.requestTimes)-500:]
	}
	return 0
}

// Messages returns the accepted messages, in order.
func (f *Fake) Messages() []Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Message(nil), f.messages...)
}

// Received returns a channel that receives each accepted message once, including those before the first call.
func (f *Fake) Received() <-chan Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.received == nil {
		f.received = make(chan Message, len(f.messages)+1<<16)
		for _, message := range f.messages {
			f.received <- message
		}
	}
	return f.received
}

func writeResponse(w http.ResponseWriter, response response) {
	text, plain := response.body.(string)
	body := []byte(text)
	if !plain {
		w.Header().Set("Content-Type", "application/json")
		body, _ = json.Marshal(response.body)
	}
	for name, value := range response.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(response.status)
	_, _ = w.Write(body)
}
