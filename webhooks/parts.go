package webhooks

import (
	"fmt"
	"strings"
)

// budget is how much of a tool's limits each part of a message may take, as the tool's script counts.
type budget struct {
	headline, name, value int
	line, lines, each     int // of a digest: one line, all of them, and the markup around each
}

// maxFacts and maxLines are what people read. More lines of a digest are counted.
const (
	maxFacts = 4
	maxLines = 20
)

// parts are a message's texts in a tool's script and within its limits, ready to be put together.
type parts struct {
	Headline string
	Word     string // of the state
	Facts    []Fact
	Lines    []string // of a digest
	Link     string   // empty: there is none
	LinkText string
	Thread   string // as it was given
	Tone     Tone
}

// parts writes a message within a budget.
func (w script) parts(m Message, b budget) parts {
	p := parts{
		Headline: w.write(m.Headline, b.headline), Word: w.write(m.State.Word, b.name), Link: link(m.Link),
		LinkText: w.write(m.LinkText, b.name), Thread: m.Thread, Tone: m.State.Tone, Lines: w.digest(m, b),
	}
	if p.Headline == "" {
		p.Headline = "Tandem"
	}
	if p.LinkText == "" {
		p.LinkText = "Tandem"
	}
	for _, f := range m.Facts {
		if len(p.Facts) < maxFacts && flat(f.Value) != "" {
			p.Facts = append(p.Facts, Fact{w.write(f.Name, b.name), w.write(f.Value, b.value)})
		}
	}
	return p
}

// digest returns the lines of a digest that fit, and in a last one how many are left.
func (w script) digest(m Message, b budget) []string {
	var lines []string
	room := b.lines - w.size(w.write(more(m.Language, len(m.Digest)), b.line)) - b.each
	for n, headline := range m.Digest {
		line := w.write(headline, b.line)
		room -= w.size(line) + b.each
		if room < 0 || n == maxLines {
			return append(lines, w.write(more(m.Language, len(m.Digest)-n), b.line))
		}
		lines = append(lines, line)
	}
	return lines
}

// more says how many lines of a digest are not shown.
func more(language string, n int) string {
	switch language {
	case "zh":
		return fmt.Sprintf("另有 %d 条", n)
	case "fi":
		return fmt.Sprintf("ja vielä %d", n)
	}
	return fmt.Sprintf("and %d more", n)
}

// status is the state as a colour and a word.
func (p parts) status() string {
	if p.Word == "" {
		return p.Tone.circle()
	}
	return p.Tone.circle() + " " + p.Word
}

// bullets are a digest's lines as a list that is no markup.
func (p parts) bullets(separator string) string {
	if len(p.Lines) == 0 {
		return ""
	}
	return "• " + strings.Join(p.Lines, separator+"• ")
}

// circle is the colour for tools that have no other.
func (t Tone) circle() string { return pick(t, "🔵", "🟢", "🟠", "🔴") }

// hex is the colour for tools that take any: one that can be read on white and on black.
func (t Tone) hex() string { return pick(t, "#5B7C99", "#2E8B57", "#D98200", "#D13438") }

// pick returns a tool's word for a tone.
func pick[T any](t Tone, neutral, good, warning, bad T) T {
	switch t {
	case Good:
		return good
	case Warning:
		return warning
	case Bad:
		return bad
	}
	return neutral
}
