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

// DeadLetterSummary is what may be told of a dead letter to whoever runs the installation.
//
// The payload is mostly a partner's command, and what is under an agreement is for its parties only,
// whoever runs the machines. Somebody on call has to find out which part of the program did not
// understand whom, and since when: so the Outline has the command's name, who sent it and when, how
// large it is and where reading it failed, and no value of the command. The parties have those; whoever
// must see one asks the sender.
type DeadLetterSummary struct {
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

// SummarizeDeadLetter reads what an Outline has out of a dead letter.
func SummarizeDeadLetter(letter eventlog.DeadLetter) DeadLetterSummary {
	var summary DeadLetterSummary
	tokens := tokensOf(letter.Payload)
	var fields map[string]jsontext.Value
	if tokens.valid && json.Unmarshal(letter.Payload, &fields) == nil && fields != nil {
		summary.readEnvelope(fields)
	}
	tokens.fieldNames[letter.ID] = true
	tokens.fieldNames[summary.Name] = true
	summary.Reason = tokens.mask(strings.ToValidUTF8(letter.Reason, "�"))
	return summary
}

// commandNamePattern is what the names of commands look like. A text in its place stays untold.
var commandNamePattern = regexp.MustCompile(`^[a-z]{1,30}(\.[a-z_]{1,30}){0,2}$`)

func (o *DeadLetterSummary) readEnvelope(fields map[string]jsontext.Value) {
	o.Envelope, o.CommandSize = true, len(fields["command"])
	text := func(raw jsontext.Value) (value string) {
		if json.Unmarshal(raw, &value) != nil {
			return ""
		}
		return value
	}
	if name := text(fields["name"]); commandNamePattern.MatchString(name) {
		o.Name = name
	}
	if at, err := time.Parse(time.RFC3339, text(fields["requested_at"])); err == nil {
		o.RequestedAt = at.UTC()
	}
	var actor domain.Actor
	if json.Unmarshal(fields["actor"], &actor) != nil {
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

// payloadTokens are what a payload says that can turn up in the reason why it was not understood.
type payloadTokens struct {
	valid      bool
	fieldNames map[string]bool // of fields: they may be told
	numbers    map[string]bool
}

// fieldNamePattern is what the names of fields look like.
var fieldNamePattern = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]{0,39}$`)

// tokensOf reads the payload as JSON of any kind.
func tokensOf(payload []byte) payloadTokens {
	tokens := payloadTokens{fieldNames: make(map[string]bool), numbers: make(map[string]bool)}
	decoder := jsontext.NewDecoder(bytes.NewReader(payload))
	for {
		token, err := decoder.ReadToken()
		if err != nil {
			break
		}
		kind, length := decoder.StackIndex(decoder.StackDepth())
		switch {
		case token.Kind() == '0':
			tokens.numbers[token.String()] = true
		case token.Kind() == '"' && kind == '{' && length%2 == 1 && fieldNamePattern.MatchString(token.String()):
			tokens.fieldNames[token.String()] = true
		}
	}
	tokens.valid = jsontext.Value(payload).IsValid()
	return tokens
}

// literalPattern finds what a reason may quote: text and numbers.
var literalPattern = regexp.MustCompile(`"(?:[^"\\]|\\.)*"?|-?[0-9][0-9.eE+-]*`)

// mask takes out of a reason what is a value, or may be one. Errors quote both names and values; only
// what is surely a name, or the path of one, stays.
func (t payloadTokens) mask(reason string) string {
	return literalPattern.ReplaceAllStringFunc(reason, func(found string) string {
		switch {
		case found[0] != '"' && !t.numbers[found]:
			return found
		case found[0] != '"':
			return "…"
		}
		if text, err := strconv.Unquote(found); err == nil && (t.fieldNames[text] || t.isPointer(text)) {
			return found
		}
		return `"…"`
	})
}

// isPointer reports whether text is a JSON pointer made of names that may be told, and indices.
func (t payloadTokens) isPointer(text string) bool {
	if !strings.HasPrefix(text, "/") {
		return false
	}
	for part := range strings.SplitSeq(text[1:], "/") {
		if _, err := strconv.ParseUint(part, 10, 32); err != nil && !t.fieldNames[part] {
			return false
		}
	}
	return true
}
