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
	names := make([]string, 0, len(tools()))
	for _, t := range tools() {
		names = append(names, t.name)
	}
	return names
}

// Fake is one endpoint of a tool. It is safe for concurrent use.
type Fake struct {
	tool    tool
	secrets []string
	keyword string
	now     func() time.Time
	rates   []rate

	mu       sync.Mutex
	times    []time.Time // of requests, as far back as a rate goes
	blocked  time.Time
	messages []Message
	got      chan Message
	seen     map[string]bool
}

// Message is one that a tool took.
type Message struct {
	Shown

	ID     string // of the delivery, where the tool is told one
	Header http.Header
	Body   []byte
	At     time.Time
}

// Shown is a message as people see it, and what in it is alive.
type Shown struct {
	Lines []string // of text, without the markup
	Calls []string // mentions that would call somebody
	Marks []string // all markup, in its order
}

// Option changes an endpoint.
type Option func(*Fake)

// Secrets sets what the endpoint knows: signing secrets, an access token, or a bot's address and key. Without any it
// checks no signature.
func Secrets(s ...string) Option { return func(f *Fake) { f.secrets = s } }

// Clock replaces the system's.
func Clock(now func() time.Time) Option { return func(f *Fake) { f.now = now } }

// Keyword makes the endpoint refuse messages without a word, where the tool can do that.
func Keyword(word string) Option { return func(f *Fake) { f.keyword = word } }

// Rate replaces the tool's own: n messages in a time. Zero: as many as there come.
func Rate(n int, in time.Duration) Option {
	return func(f *Fake) {
		var block time.Duration
		for _, r := range f.rates {
			block = max(block, r.block)
		}
		f.rates = nil
		if n > 0 {
			f.rates = []rate{{n, in, block}}
		}
	}
}

// rate is how many messages a tool takes in a time, and for how long it takes none from who sent more.
type rate struct {
	n     int
	in    time.Duration
	block time.Duration
}

// answer is what a tool answers.
type answer struct {
	status int
	header map[string]string
	body   any // a string as it is, all else as JSON
}

// tool is how one tool reads and answers.
type tool struct {
	name string
	rate []rate
	read func(f *Fake, r *http.Request, body []byte) (Message, *answer) // an answer: it refuses
	took func(f *Fake, m Message) answer
	slow func(after time.Duration) answer
}

// Tool returns an endpoint of a tool, by its format's name.
func Tool(name string, options ...Option) *Fake {
	for _, t := range tools() {
		if t.name != name {
			continue
		}
		f := &Fake{tool: t, now: time.Now, rates: t.rate, seen: map[string]bool{}}
		for _, o := range options {
			o(f)
		}
		return f
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
	write(w, f.answer(r, body))
}

func (f *Fake) answer(r *http.Request, body []byte) answer {
	f.mu.Lock()
	defer f.mu.Unlock()
	if after := f.tooFast(); after > 0 {
		return f.tool.slow(after)
	}
	m, refused := f.tool.read(f, r, body)
	if refused != nil {
		return *refused
	}
	m.Header, m.Body, m.At = r.Header.Clone(), body, f.now()
	if m.ID == "" || !f.seen[f.tool.name+m.ID] || !exactlyOnce[f.tool.name] {
		f.messages = append(f.messages, m)
		if f.got != nil {
			f.got <- m
		}
	}
	f.seen[f.tool.name+m.ID] = true
	return f.tool.took(f, m)
}

// exactlyOnce are the tools that show a message with a known id once.
var exactlyOnce = map[string]bool{"matrix": true, "google-chat": true}

// tooFast counts a request and returns for how long to wait if there were too many.
func (f *Fake) tooFast() time.Duration {
	now := f.now()
	if f.blocked.After(now) {
		return f.blocked.Sub(now)
	}
	for _, r := range f.rates {
		first := len(f.times) - r.n
		if first < 0 || now.Sub(f.times[first]) >= r.in {
			continue
		}
		if r.block > 0 {
			f.blocked = now.Add(r.block)
			return r.block
		}
		return f.times[first].Add(r.in).Sub(now)
	}
	f.times = append(f.times, now)
	if len(f.times) > 1000 {
		f.times = f.times[len(f.times)-500:]
	}
	return 0
}

// Messages returns what was taken so far, in order.
func (f *Fake) Messages() []Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Message(nil), f.messages...)
}

// Got gives each message once when it is taken, those from before the first call too.
func (f *Fake) Got() <-chan Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.got == nil {
		f.got = make(chan Message, len(f.messages)+1<<16)
		for _, m := range f.messages {
			f.got <- m
		}
	}
	return f.got
}

func write(w http.ResponseWriter, a answer) {
	text, plain := a.body.(string)
	body := []byte(text)
	if !plain {
		w.Header().Set("Content-Type", "application/json")
		body, _ = json.Marshal(a.body)
	}
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(body)
}
