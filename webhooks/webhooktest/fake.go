package webhooktest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Names returns the tools that there are fakes of: one for each format.
func Names() []string {
	names := make([]string, 0, len(services()))
	for _, service := range services() {
		names = append(names, service.name)
	}
	return names
}

// Fake is one endpoint of a tool. It is safe for concurrent use.
type Fake struct {
	service service
	secrets []string
	keyword string
	now     func() time.Time
	rates   []rateLimit

	mu           sync.Mutex
	requestTimes []time.Time // of requests, as far back as a rate goes
	blockedUntil time.Time
	messages     []Message
	received     chan Message
	seenIDs      map[string]bool
}

// Message is one that a tool took.
type Message struct {
	Rendered

	ID         string // of the delivery, where the tool is told one
	Header     http.Header
	Body       []byte
	ReceivedAt time.Time
}

// Rendered is a message as people see it, and what in it is alive.
type Rendered struct {
	Lines    []string // of text, without the markup
	Mentions []string // mentions that would call somebody
	Markup   []string // all markup, in its order
}

// Option changes an endpoint.
type Option func(*Fake)

// Secrets sets what the endpoint knows: signing secrets, an access token, or a bot's address and key. Without any it
// checks no signature.
func Secrets(secrets ...string) Option { return func(fake *Fake) { fake.secrets = secrets } }

// Clock replaces the system's.
func Clock(now func() time.Time) Option { return func(fake *Fake) { fake.now = now } }

// Keyword makes the endpoint refuse messages without a word, where the tool can do that.
func Keyword(word string) Option { return func(fake *Fake) { fake.keyword = word } }

// Rate replaces the tool's own: n messages in a time. Zero: as many as there come.
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

// rateLimit is how many messages a tool takes in a time, and for how long it takes none from who sent more.
type rateLimit struct {
	count   int
	period  time.Duration
	lockout time.Duration
}

// response is what a tool answers.
type response struct {
	status int
	header map[string]string
	body   any // a string as it is, all else as JSON
}

// service is how one tool reads and answers.
type service struct {
	name        string
	rates       []rateLimit
	read        func(fake *Fake, r *http.Request, body []byte) (Message, *response) // an answer: it refuses
	accept      func(fake *Fake, message Message) response
	rateLimited func(after time.Duration) response
}

// NewFake returns an endpoint of a tool, by its format's name.
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
	panic(fmt.Sprintf("webhooktest: there is no fake of %q", name))
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

// deduplicating are the tools that show a message with a known id once.
var deduplicating = map[string]bool{"matrix": true, "google-chat": true}

// checkRate counts a request and returns for how long to wait if there were too many.
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

// Messages returns what was taken so far, in order.
func (f *Fake) Messages() []Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Message(nil), f.messages...)
}

// Received gives each message once when it is taken, those from before the first call too.
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
