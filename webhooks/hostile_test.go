package webhooks_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tandem/webhooks"
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
	text = strings.Map(func(r rune) rune {
		if r >= 0x10f800 { // the fakes' own
			return -1
		}
		return r
	}, text)
	if webhooks.Flat(text) == "" {
		return // the formats leave it out; a headline is never empty
	}
	for _, f := range webhooks.Formats() {
		if !f.Limits().Chat {
			continue
		}
		harmless, got := look(t, f, "x"), look(t, f, text)
		require.Empty(t, got.Calls, f.Name())
		require.Equal(t, harmless.Marks, got.Marks, "%s: %q", f.Name(), text)
		shown := webhooks.Canonical(got.Text())
		if want := webhooks.Canonical(webhooks.Flat(text)); len(text) <= 20 { // WeCom has 60 bytes for a word, and a look-alike takes three
			require.GreaterOrEqual(t, strings.Count(shown, want), 6, "%s does not show %q six times: %s", f.Name(), want, shown)
		} else if !strings.Contains(shown, want) {
			require.Contains(t, shown, "…", f.Name())
		}
	}
}

// look has a text in six places that are shown: headline, word, two values, a digest's line, the button or the name
// of a fact. Where there is no button a third value stands for it.
func look(t require.TestingT, f webhooks.Format, text string) webhooktest.Shown {
	m := webhooks.Message{
		Headline: text, State: webhooks.State{Word: text, Tone: webhooks.Good}, Thread: "x", Language: "en",
		Facts:  []webhooks.Fact{{Name: "A", Value: text}, {Name: text, Value: "b"}, {Name: "C", Value: text}},
		Digest: []string{text}, Link: address,
	}
	if f.Name() == "zulip" {
		m.Thread = "@" + text // a topic is cut at 60
	}
	r, _ := sent(t, f, delivery(m), targets[f.Name()])
	fake := endpoint(f)
	got := through(t, f, fake, r)
	require.True(t, got.OK, "%s: %q: %s", f.Name(), text, got.Reason)
	shown := fake.Messages()[0].Shown
	if f.Name() == "zulip" {
		shown.Lines = shown.Lines[1:] // the topic
	}
	// A longer headline is a section at Slack.
	if i := slices.Index(shown.Marks, "header"); i >= 0 {
		shown.Marks[i] = "section"
	}
	return shown
}
