package webhooks

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// textRules is how a tool writes what people typed: each rune becomes text that shows it and is nothing
// else to the tool, whatever stands beside it; and lengths are counted as the tool counts them.
type textRules struct {
	escape func(rune) string // nil: every rune is only text to the tool
	size   func(string) int
}

const (
	ellipsis = "…"
	// zeroWidthSpace has no width and joins nothing. After an @ it keeps the next word from being a mention.
	zeroWidthSpace = "\u200b"
)

// render returns a text as one line of at most limit, in which every rune is only text. What does not
// fit is cut between characters as people see them, and the cut shows.
func (r textRules) render(text string, limit int) string {
	var line strings.Builder
	used, fits, mark := 0, 0, r.size(ellipsis)
	for graphemes := uniseg.NewGraphemes(singleLine(text)); graphemes.Next(); {
		piece := r.escapeRunes(graphemes.Runes())
		if used += r.size(piece); used > limit {
			return strings.TrimRight(line.String()[:fits], " ") + ellipsis
		}
		line.WriteString(piece)
		if used+mark <= limit {
			fits = line.Len()
		}
	}
	return line.String()
}

func (r textRules) escapeRunes(text []rune) string {
	if r.escape == nil {
		return string(text)
	}
	var escaped strings.Builder
	for _, char := range text {
		escaped.WriteString(r.escape(char))
	}
	return escaped.String()
}

// singleLine returns a text as one line of valid UTF-8 without what cannot be seen: no control characters,
// no marks that turn the direction of what follows, no invisible ones but those inside emoji and scripts.
func singleLine(text string) string {
	text = strings.Map(func(char rune) rune {
		switch {
		case unicode.IsSpace(char) || char == '\u2028' || char == '\u2029' || unicode.Is(blankRunes, char):
			return ' '
		case unicode.Is(unicode.Cc, char), char == '\u200b', char == '\u2060', char == '\ufeff', char == '\ufffe', char == '\uffff',
			unicode.Is(unicode.Bidi_Control, char), unicode.Is(hiddenRunes, char):
			return -1
		}
		return char
	}, strings.ToValidUTF8(text, string(utf8.RuneError)))
	return strings.Join(strings.Fields(text), " ")
}

// blankRunes are letters that show nothing: fillers of Hangul, and the empty cell of Braille.
var blankRunes = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x115f, Hi: 0x1160, Stride: 1},
	{Lo: 0x2800, Hi: 0x2800, Stride: 1},
	{Lo: 0x3164, Hi: 0x3164, Stride: 1},
	{Lo: 0xffa0, Hi: 0xffa0, Stride: 1},
}}

// hiddenRunes can carry a text that people do not see and programs read: soft hyphens, invisible operators, annotations,
// and tags, without which the flags of parts of countries are black ones.
var hiddenRunes = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x00ad, Hi: 0x00ad, Stride: 1},
		{Lo: 0x180e, Hi: 0x180e, Stride: 1},
		{Lo: 0x2061, Hi: 0x2064, Stride: 1},
		{Lo: 0x206a, Hi: 0x206f, Stride: 1},
		{Lo: 0xfff9, Hi: 0xfffb, Stride: 1},
	},
	R32:         []unicode.Range32{{Lo: 0xe0000, Hi: 0xe007f, Stride: 1}},
	LatinOffset: 1,
}

// The ways to count.
func byteLength(text string) int { return len(text) }

// utf16Length counts UTF-16 units; tools that count runes find no more.
func utf16Length(text string) int {
	n := 0
	for _, char := range text {
		n++
		if char > 0xffff {
			n++
		}
	}
	return n
}

// jsonLength counts the bytes that a text takes inside a JSON string as jsonOf writes it.
func jsonLength(text string) int {
	return len(text) + strings.Count(text, `"`) + strings.Count(text, `\`)
}

// The ways to escape.

// escapeMentions keeps a name after an @ from being called, and changes nothing else.
func escapeMentions(char rune) string {
	if char == '@' || char == '＠' {
		return string(char) + zeroWidthSpace
	}
	return string(char)
}

// escapeHTML is for tools that read HTML.
func escapeHTML(char rune) string {
	switch char {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	case '"':
		return "&quot;"
	}
	return escapeMentions(char)
}

// escapeMarkdown is for tools that take a backslash before punctuation as CommonMark does.
func escapeMarkdown(char rune) string {
	if strings.ContainsRune("\\`*_{}[]()<>#+-.!|~:&$=", char) {
		return `\` + string(char)
	}
	return escapeMentions(char)
}

// lookAlikes stand for the characters that are markup to tools whose markdown has no escapes.
var lookAlikes = map[rune]string{
	'\\': "＼", '`': "ˋ", '*': "∗", '_': "ˍ", '[': "［", ']': "］", '<': "‹", '>': "›", '#': "＃", '~': "∼", '|': "∣",
	'$': "＄", '@': "＠" + zeroWidthSpace, '＠': "＠" + zeroWidthSpace, '&': "&" + zeroWidthSpace, ':': ":" + zeroWidthSpace,
}

func useLookAlikes(char rune) string {
	if other, ok := lookAlikes[char]; ok {
		return other
	}
	return string(char)
}

// escapeTags is for plain texts of tools that elsewhere read <at> and the like.
func escapeTags(char rune) string {
	if char == '<' {
		return "<" + zeroWidthSpace
	}
	return escapeMentions(char)
}

// maxLinkLength is the length of the longest link that is sent; ours are far shorter.
const maxLinkLength = 500

// safeLink returns an address that is safe inside any tool's markup, or "" if it is no address of the web.
func safeLink(address string) string {
	parsed, err := url.Parse(address)
	if err != nil || (parsed.Scheme != "https" && parsed.Scheme != "http") || parsed.Host == "" {
		return ""
	}
	var text strings.Builder
	for _, char := range []byte(parsed.String()) {
		if char <= ' ' || char > '~' || strings.IndexByte("\"'()*<>[\\]^`{|}", char) >= 0 {
			const hex = "0123456789ABCDEF"
			text.WriteString("%" + string(hex[char>>4]) + string(hex[char&15]))
			continue
		}
		text.WriteByte(char)
	}
	if text.Len() > maxLinkLength {
		return ""
	}
	return text.String()
}
