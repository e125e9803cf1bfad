package bus

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tandem/domain"
	"tandem/eventlog"
)

// Outline is what may be told of a dead letter to whoever runs the installation.
//
// The payload is mostly a partner's command, and what is under an agreement is for its parties only,
// whoever runs the machines. Somebody on call has to find out which part of the program did not
// understand whom, and since when: so the Outline has the command's name, who sent it and when, how
// large it is and where reading it failed, and no value of the command. The parties have those; whoever
// must see one asks the sender.
type Outline struct {
	// Reason is the letter's, with "…" for whatever may be a value of the payload.
	Reason string
	// Envelope reports whether the payload is JSON as commands are sent; if not, the rest is empty.
	Envelope bool
	// Name, Partner, Member, Role and RequestedAt are empty where the envelope has none that is
	// well formed.
	Name        string
	Partner     domain.PartnerID // that the sender acted for
	Member      domain.MemberID
	Role        domain.Role
	RequestedAt time.Time
	CommandSize int // bytes of the command in the envelope
}

// OutlineOf reads what an Outline has out of a dead letter.
func OutlineOf(letter eventlog.DeadLetter) Outline {
	var o Outline
	said := wordsOf(letter.Payload)
	var e map[string]jsontext.Value
	if said.parsed && json.Unmarshal(letter.Payload, &e) == nil && e != nil {
		o.outer(e)
	}
	said.names[letter.ID] = true
	said.names[o.Name] = true
	o.Reason = said.mask(strings.ToValidUTF8(letter.Reason, "�"))
	return o
}

// commandName is what the names of commands look like. A text in its place stays untold.
var commandName = regexp.MustCompile(`^[a-z]{1,30}(\.[a-z_]{1,30}){0,2}$`)

func (o *Outline) outer(e map[string]jsontext.Value) {
	o.Envelope, o.CommandSize = true, len(e["command"])
	text := func(v jsontext.Value) (s string) {
		if json.Unmarshal(v, &s) != nil {
			return ""
		}
		return s
	}
	if name := text(e["name"]); commandName.MatchString(name) {
		o.Name = name
	}
	if at, err := time.Parse(time.RFC3339, text(e["requested_at"])); err == nil {
		o.RequestedAt = at.UTC()
	}
	var actor domain.Actor
	if json.Unmarshal(e["actor"], &actor) != nil {
		return
	}
	if domain.ValidSlug(string(actor.Partner)) {
		o.Partner = actor.Partner
	}
	if domain.ValidSlug(string(actor.Member)) {
		o.Member = actor.Member
	}
	switch actor.Role {
	case domain.Manager, domain.Viewer, domain.Operator:
		o.Role = actor.Role
	}
}

// words are what a payload says that can turn up in the reason why it was not understood.
type words struct {
	parsed  bool
	names   map[string]bool // of fields: they may be told
	numbers map[string]bool
}

// fieldName is what the names of fields look like.
var fieldName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]{0,39}$`)

// wordsOf reads the payload as JSON of any kind.
func wordsOf(payload []byte) words {
	w := words{names: make(map[string]bool), numbers: make(map[string]bool)}
	d := jsontext.NewDecoder(bytes.NewReader(payload))
	for {
		token, err := d.ReadToken()
		if err != nil {
			break
		}
		kind, length := d.StackIndex(d.StackDepth())
		switch {
		case token.Kind() == '0':
			w.numbers[token.String()] = true
		case token.Kind() == '"' && kind == '{' && length%2 == 1 && fieldName.MatchString(token.String()):
			w.names[token.String()] = true
		}
	}
	w.parsed = jsontext.Value(payload).IsValid()
	return w
}

// literal finds what a reason may quote: text and numbers.
var literal = regexp.MustCompile(`"(?:[^"\\]|\\.)*"?|-?[0-9][0-9.eE+-]*`)

// mask takes out of a reason what is a value, or may be one. Errors quote both names and values; only
// what is surely a name, or the path of one, stays.
func (w words) mask(reason string) string {
	return literal.ReplaceAllStringFunc(reason, func(found string) string {
		switch {
		case found[0] != '"' && !w.numbers[found]:
			return found
		case found[0] != '"':
			return "…"
		}
		if text, err := strconv.Unquote(found); err == nil && (w.names[text] || w.path(text)) {
			return found
		}
		return `"…"`
	})
}

// path reports whether text is a JSON pointer made of names that may be told, and indices.
func (w words) path(text string) bool {
	if !strings.HasPrefix(text, "/") {
		return false
	}
	for part := range strings.SplitSeq(text[1:], "/") {
		if _, err := strconv.ParseUint(part, 10, 32); err != nil && !w.names[part] {
			return false
		}
	}
	return true
}
