package formats_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tandem/webhooks/formats"
	"tandem/webhooks/webhooktest"
)

// FuzzMessage puts any text into the messages of every chat format; see checkText.
func FuzzMessage(f *testing.F) {
	for _, seed := range append(strings.Split(hostile, " "), hostile, "x", "", strings.Repeat("标题@all<", 2000),
		strings.Repeat("👩‍👩‍👧", 500), "e"+strings.Repeat("\u0301", 9000), "1. x", "- x", "> x", "# x", "    x", "\\", "&", "<", "@") {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { checkText(t, text) })
}

// TestAnyText checks random texts of markup fragments; see checkText.
func TestAnyText(t *testing.T) {
	piece := rapid.SampledFrom(append(strings.Split(hostile, " "), "@", "<", ">", "&", "`", "*", "**", "_", "~", "#", "[", "]", "(", ")", "|",
		"!", ":", "$", "\\", "\n", " ", "\"", "'", "a", "字", "👩‍👩‍👧", "\u200b", "\ufffe", "\xff", "all", "http://x.y/", strings.Repeat("長", 500)))
	rapid.Check(t, func(t *rapid.T) {
		checkText(t, strings.Join(rapid.SliceOfN(piece, 0, 40).Draw(t, "pieces"), ""))
	})
}

// checkText puts a text into every field of a message and checks, for each chat format:
//
//   - the request is the same each time, valid UTF-8 in JSON or a form, and within the documented size;
//   - no string in it contains control or bidirectional characters;
//   - the fake of the service accepts it, finds no mention, and finds the markup of a harmless message only;
//   - the text is displayed, completely if it is short, and otherwise with an ellipsis where it is cut.
func checkText(t require.TestingT, text string) {
	text = strings.Map(func(char rune) rune {
		if char >= 0x10f800 { // the fakes use these
			return -1
		}
		return char
	}, text)
	if formats.SingleLine(text) == "" {
		return // the formats omit it, and replace an empty headline
	}
	for _, format := range formats.All() {
		if !format.Limits().Chat {
			continue
		}
		harmless, got := renderEverywhere(t, format, "x"), renderEverywhere(t, format, text)
		require.Empty(t, got.Mentions, format.Name())
		require.Equal(t, harmless.Markup, got.Markup, "%s: %q", format.Name(), text)
		displayed := formats.RestoreLookAlikes(got.Text())
		want := formats.RestoreLookAlikes(formats.SingleLine(text))
		if len(text) <= 20 { // WeCom allows 60 bytes for a word, and a look-alike has three
			require.GreaterOrEqual(t, strings.Count(displayed, want), 6, "%s does not display %q six times: %s", format.Name(), want, displayed)
		} else if !strings.Contains(displayed, want) {
			require.Contains(t, displayed, "…", format.Name())
		}
	}
}

// renderEverywhere sends a message with a text in six visible places: headline, state, two values, a digest line, and
// the name of a fact or the button. Without a button, a third value replaces it.
func renderEverywhere(t require.TestingT, format formats.Format, text string) webhooktest.Rendered {
	content := formats.Content{
		Headline: text, State: formats.State{Word: text, Tone: formats.Good}, Thread: "x", Language: "en",
		Facts:       []formats.Fact{{Name: "A", Value: text}, {Name: text, Value: "b"}, {Name: "C", Value: text}},
		DigestLines: []string{text}, Link: exampleLink, LinkText: text,
	}
	if format.Name() == "zulip" {
		content.Thread = "@" + text // becomes the topic
	}
	request, body := formatRequest(t, format, testMessage(content), targets[format.Name()])
	checkRequest(t, format, request, body)
	again, sameBody := formatRequest(t, format, testMessage(content), targets[format.Name()])
	require.Equal(t, request.URL.String()+string(body), again.URL.String()+string(sameBody), "%s is not deterministic", format.Name())

	fake := endpoint(format)
	result := exchangeWithFake(t, format, fake, request)
	require.True(t, result.OK, "%s: %q: %s", format.Name(), text, result.Reason)
	rendered := fake.Messages()[0].Rendered
	if format.Name() == "zulip" {
		rendered.Lines = rendered.Lines[1:] // the topic
	}
	if i := slices.Index(rendered.Markup, "header"); i >= 0 { // Slack: a longer headline is a section
		rendered.Markup[i] = "section"
	}
	return rendered
}

// bodyLimits are the documented limits of request bodies in bytes; of Teams, before Microsoft wraps the card.
var bodyLimits = map[string]int{
	"teams": 18_000, "feishu": 20_000, "lark": 20_000, "dingtalk": 20_000, "google-chat": 32_000, "matrix": 64_000,
}

// textLimits are the documented limits of one text in a request, in UTF-16 code units. The fakes check totals.
var textLimits = map[string]int{
	"slack": 3000, "discord": 4096, "mattermost": 16_383, "rocketchat": 5000, "telegram": 4096, "zulip": 10_000,
}

// checkRequest checks the size, encoding and characters of a request.
func checkRequest(t require.TestingT, format formats.Format, request *http.Request, body []byte) {
	name := format.Name()
	require.True(t, utf8.Valid(body), name)
	if limit, ok := bodyLimits[name]; ok {
		require.LessOrEqual(t, len(body), limit, name)
	}
	var texts []string
	if request.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(body))
		require.NoError(t, err, name)
		require.LessOrEqual(t, len(utf16.Encode([]rune(form.Get("topic")))), 60, name)
		texts = form["content"]
	} else {
		var value any
		require.NoError(t, json.Unmarshal(body, &value), name)
		texts = stringsIn(value)
	}
	for _, text := range texts {
		require.Equal(t, -1, strings.IndexFunc(text, isInvisible), "%s: %q", name, text)
		require.NotContains(t, text, "\ufffe", name)
		if limit, ok := textLimits[name]; ok {
			require.LessOrEqual(t, len(utf16.Encode([]rune(text))), limit, name)
		}
		if name == "wecom" {
			require.LessOrEqual(t, len(text), 4096, name)
		}
	}
	require.Equal(t, -1, strings.IndexFunc(request.URL.String(), unicode.IsControl), name)
}

// isInvisible reports control and bidirectional characters, except for line breaks.
func isInvisible(char rune) bool {
	return char != '\n' && (unicode.IsControl(char) || unicode.Is(unicode.Bidi_Control, char))
}

// stringsIn returns all strings in a decoded JSON value.
func stringsIn(value any) (texts []string) {
	switch value := value.(type) {
	case string:
		return []string{value}
	case []any:
		for _, element := range value {
			texts = append(texts, stringsIn(element)...)
		}
	case map[string]any:
		for _, member := range value {
			texts = append(texts, stringsIn(member)...)
		}
	}
	return texts
}
