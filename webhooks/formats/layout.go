package formats

import (
	"fmt"
	"strings"
)

// textLimits are the lengths that a service accepts for the parts of a message, in the unit of textRules.size.
type textLimits struct {
	headline int
	name     int // of a fact, and of the state and the link
	value    int // of a fact
	line     int // one line of a digest
	allLines int // all lines of a digest together
	perLine  int // the markup around each line
}

// maxFacts and maxLines keep a message readable. A last line counts the lines of a digest that are left out.
const (
	maxFacts = 4
	maxLines = 20
)

// layout holds the parts of a message, escaped and within the limits of a service.
type layout struct {
	Headline  string
	StateWord string
	Facts     []Fact
	Lines     []string // of a digest
	Link      string   // empty if the content has no usable link
	LinkText  string
	Thread    string // not escaped
	Tone      Tone
}

// layout escapes a message and cuts its parts to the limits.
func (r textRules) layout(content Content, limits textLimits) layout {
	layout := layout{
		Headline: r.render(content.Headline, limits.headline), StateWord: r.render(content.State.Word, limits.name), Link: safeLink(content.Link),
		LinkText: r.render(content.LinkText, limits.name), Thread: content.Thread, Tone: content.State.Tone, Lines: r.digestLines(content, limits),
	}
	if layout.Headline == "" {
		layout.Headline = "Tandem"
	}
	if layout.LinkText == "" {
		layout.LinkText = "Tandem"
	}
	for _, fact := range content.Facts {
		if len(layout.Facts) < maxFacts && SingleLine(fact.Value) != "" {
			layout.Facts = append(layout.Facts, Fact{r.render(fact.Name, limits.name), r.render(fact.Value, limits.value)})
		}
	}
	return layout
}

// digestLines returns the lines of a digest that fit. If some do not, the last line counts them.
func (r textRules) digestLines(content Content, limits textLimits) []string {
	var lines []string
	remaining := limits.allLines - r.size(r.render(moreLines(content.Language, len(content.DigestLines)), limits.line)) - limits.perLine
	for i, headline := range content.DigestLines {
		line := r.render(headline, limits.line)
		remaining -= r.size(line) + limits.perLine
		if remaining < 0 || i == maxLines {
			return append(lines, r.render(moreLines(content.Language, len(content.DigestLines)-i), limits.line))
		}
		lines = append(lines, line)
	}
	return lines
}

// moreLines returns the line that counts the n omitted lines of a digest.
func moreLines(language string, n int) string {
	switch language {
	case "zh":
		return fmt.Sprintf("另有 %d 条", n)
	case "fi":
		return fmt.Sprintf("ja vielä %d", n)
	}
	return fmt.Sprintf("and %d more", n)
}

// status returns the state as a coloured dot and a word.
func (l layout) status() string {
	if l.StateWord == "" {
		return l.Tone.emoji()
	}
	return l.Tone.emoji() + " " + l.StateWord
}

// bullets returns the lines of a digest as a plain-text list.
func (l layout) bullets(separator string) string {
	if len(l.Lines) == 0 {
		return ""
	}
	return "• " + strings.Join(l.Lines, separator+"• ")
}

// emoji returns the colour of a tone for services without coloured text.
func (t Tone) emoji() string { return byTone(t, "🔵", "🟢", "🟠", "🔴") }

// hexColor returns the colour of a tone, readable on white and on black.
func (t Tone) hexColor() string { return byTone(t, "#5B7C99", "#2E8B57", "#D98200", "#D13438") }

// byTone returns the argument for a tone. An unknown tone is neutral.
func byTone[T any](tone Tone, neutral, good, warning, bad T) T {
	switch tone {
	case Good:
		return good
	case Warning:
		return warning
	case Bad:
		return bad
	}
	return neutral
}
