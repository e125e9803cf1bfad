package webhooks

import (
	"fmt"
	"strings"
)

// textLimits is how much of a tool's limits each part of a message may take, as the tool's script counts.
type textLimits struct {
	headline, name, value   int
	line, allLines, perLine int // of a digest: one line, all of them, and the markup around each
}

// maxFacts and maxLines are what people read. More lines of a digest are counted.
const (
	maxFacts = 4
	maxLines = 20
)

// layout are a message's texts in a tool's script and within its limits, ready to be put together.
type layout struct {
	Headline  string
	StateWord string // of the state
	Facts     []Fact
	Lines     []string // of a digest
	Link      string   // empty: there is none
	LinkText  string
	Thread    string // as it was given
	Tone      Tone
}

// layout writes a message within a budget.
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
		if len(layout.Facts) < maxFacts && singleLine(fact.Value) != "" {
			layout.Facts = append(layout.Facts, Fact{r.render(fact.Name, limits.name), r.render(fact.Value, limits.value)})
		}
	}
	return layout
}

// digestLines returns the lines of a digest that fit, and in a last one how many are left.
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

// moreLines says how many lines of a digest are not shown.
func moreLines(language string, n int) string {
	switch language {
	case "zh":
		return fmt.Sprintf("另有 %d 条", n)
	case "fi":
		return fmt.Sprintf("ja vielä %d", n)
	}
	return fmt.Sprintf("and %d more", n)
}

// status is the state as a colour and a word.
func (l layout) status() string {
	if l.StateWord == "" {
		return l.Tone.emoji()
	}
	return l.Tone.emoji() + " " + l.StateWord
}

// bullets are a digest's lines as a list that is no markup.
func (l layout) bullets(separator string) string {
	if len(l.Lines) == 0 {
		return ""
	}
	return "• " + strings.Join(l.Lines, separator+"• ")
}

// emoji is the colour for tools that have no other.
func (t Tone) emoji() string { return byTone(t, "🔵", "🟢", "🟠", "🔴") }

// hexColor is the colour for tools that take any: one that can be read on white and on black.
func (t Tone) hexColor() string { return byTone(t, "#5B7C99", "#2E8B57", "#D98200", "#D13438") }

// byTone returns a tool's word for a tone.
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
