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

// DeadLetterSummary describes a dead letter to the operator.
//
// The payload usually is a partner's command, which only the parties of its agreement may read. The
// summary has all that the operator needs to find the fault: the command's name, size, sender and time,
// and where decoding failed. It has no value of the command.
type DeadLetterSummary struct {
	// Reason is the letter's reason, with "…" in place of anything that may be a value of the payload.
	Reason string
	// Envelope reports whether the payload is a JSON object like that of a command. If not, the
	// following fields are empty.
	Envelope bool
	// Name, Partner, Member, Role and RequestedAt are empty if they are missing or malformed.
	Name        string           // of the command
	Partner     domain.PartnerID // of the sender
	Member      domain.MemberID
	Role        domain.Role
	RequestedAt time.Time // UTC
	CommandSize int       // of the command within the envelope, in bytes
}

// SummarizeDeadLetter returns the summary of a dead letter.
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

// commandNamePattern matches names of commands. Any other text in their place is omitted.
var commandNamePattern = regexp.MustCompile(`^[a-z]{1,30}(\.[a-z_]{1,30}){0,2}$`)

// readEnvelope fills in the summary from the members of the envelope.
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

// payloadTokens are the tokens of a payload that a decoding error can quote.
type payloadTokens struct {
	valid      bool            // the payload is JSON
	fieldNames map[string]bool // a reason may contain these
	numbers    map[string]bool // a reason must not contain these
}

// fieldNamePattern matches names of fields.
var fieldNamePattern = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]{0,39}$`)

// tokensOf returns the tokens of a payload, up to the first syntax error.
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

// literalPattern matches the quoted text and the numbers of a reason.
var literalPattern = regexp.MustCompile(`"(?:[^"\\]|\\.)*"?|-?[0-9][0-9.eE+-]*`)

// mask replaces every literal of a reason that may be a value. Errors quote both names and values;
// mask leaves only field names and JSON pointers made of them.
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

// isPointer reports whether text is a JSON pointer that consists of field names and indices.
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
