package formats_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tandem/webhooks/formats"
	"tandem/webhooks/webhooktest"
)

// FuzzText gives any text to every format: see checkText.
func FuzzText(f *testing.F) {
	for _, seed := range append(strings.Split(hostile, " "), hostile, "x", "", strings.Repeat("标题@all<", 2000),
		strings.Repeat("👩‍👩‍👧", 500), "e"+strings.Repeat("\u0301", 9000), "1. x", "- x", "> x", "# x", "    x", "\\", "&", "<", "@") {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { checkText(t, text) })
}

// TestAnyText does the same with texts made of what is markup somewhere, at every start.
func TestAnyText(t *testing.T) {
	piece := rapid.SampledFrom(append(strings.Split(hostile, " "), "@", "<", ">", "&", "`", "*", "**", "_", "~", "#", "[", "]", "(", ")", "|",
		"!", ":", "$", "\\", "\n", " ", "\"", "'", "a", "字", "👩‍👩‍👧", "\u200b", "\ufffe", "\xff", "all", "http://x.y/", strings.Repeat("長", 500)))
	rapid.Check(t, func(t *rapid.T) {
		checkText(t, strings.Join(rapid.SliceOfN(piece, 0, 40).Draw(t, "pieces"), ""))
	})
}

// checkText puts a text everywhere into a message. Whatever it is, the tool takes the message, calls nobody, finds
// the markup of a harmless message and nothing more, and shows the text, if it is short to its end.
func checkText(t require.TestingT, text string) {
	text = strings.Map(func(char rune) rune {
		if char >= 0x10f800 { // the fakes' own
			return -1
		}
		return char
	}, text)
	if formats.SingleLine(text) == "" {
		return // the formats leave it out; a headline is never empty
	}
	for _, format := range formats.All() {
		if !format.Limits().Chat {
			continue
		}
		harmless, got := renderEverywhere(t, format, "x"), renderEverywhere(t, format, text)
		require.Empty(t, got.Mentions, format.Name())
		require.Equal(t, harmless.Markup, got.Markup, "%s: %q", format.Name(), text)
		redacted := formats.RestoreLookAlikes(got.Text())
		if want := formats.RestoreLookAlikes(formats.SingleLine(text)); len(text) <= 20 { // WeCom has 60 bytes for a word, and a look-alike takes three
			require.GreaterOrEqual(t, strings.Count(redacted, want), 6, "%s does not show %q six times: %s", format.Name(), want, redacted)
		} else if !strings.Contains(redacted, want) {
			require.Contains(t, redacted, "…", format.Name())
		}
	}
}

// renderEverywhere has a text in six places that are shown: headline, word, two values, a digest's line, the button or the name
// of a fact. Where there is no button a third value stands for it.
func renderEverywhere(t require.TestingT, format formats.Format, text string) webhooktest.Rendered {
	content := formats.Content{
		Headline: text, State: formats.State{Word: text, Tone: formats.Good}, Thread: "x", Language: "en",
		Facts:       []formats.Fact{{Name: "A", Value: text}, {Name: text, Value: "b"}, {Name: "C", Value: text}},
		DigestLines: []string{text}, Link: exampleLink,
	}
	if format.Name() == "zulip" {
		content.Thread = "@" + text // a topic is cut at 60
	}
	request, _ := formatRequest(t, format, testMessage(content), targets[format.Name()])
	fake := endpoint(format)
	got := exchangeWithFake(t, format, fake, request)
	require.True(t, got.OK, "%s: %q: %s", format.Name(), text, got.Reason)
	redacted := fake.Messages()[0].Rendered
	if format.Name() == "zulip" {
		redacted.Lines = redacted.Lines[1:] // the topic
	}
	// A longer headline is a section at Slack.
	if i := slices.Index(redacted.Markup, "header"); i >= 0 {
		redacted.Markup[i] = "section"
	}
	return redacted
}
