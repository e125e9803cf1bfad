package webhooks

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// script is how a tool writes what people typed: each rune becomes text that shows it and is nothing
// else to the tool, whatever stands beside it; and lengths are counted as the tool counts them.
type script struct {
	escape func(rune) string // nil: every rune is only text to the tool
	size   func(string) int
}

const (
	ellipsis = "…"
	// invisible has no width and joins nothing. After an @ it keeps the next word from being a mention.
	invisible = "\u200b"
)

// write returns a text as one line of at most limit, in which every rune is only text. What does not
// fit is cut between characters as people see them, and the cut shows.
func (w script) write(text string, limit int) string {
	var b strings.Builder
	used, fits, mark := 0, 0, w.size(ellipsis)
	for g := uniseg.NewGraphemes(flat(text)); g.Next(); {
		piece := w.runes(g.Runes())
		if used += w.size(piece); used > limit {
			return strings.TrimRight(b.String()[:fits], " ") + ellipsis
		}
		b.WriteString(piece)
		if used+mark <= limit {
			fits = b.Len()
		}
	}
	return b.String()
}

func (w script) runes(text []rune) string {
	if w.escape == nil {
		return string(text)
	}
	var b strings.Builder
	for _, r := range text {
		b.WriteString(w.escape(r))
	}
	return b.String()
}

// flat returns a text as one line of valid UTF-8 without what cannot be seen: no control characters,
// no marks that turn the direction of what follows, no invisible ones but those inside emoji and scripts.
func flat(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) || r == '\u2028' || r == '\u2029' || unicode.Is(blank, r):
			return ' '
		case unicode.Is(unicode.Cc, r), r == '\u200b', r == '\u2060', r == '\ufeff', r == '\ufffe', r == '\uffff',
			unicode.Is(unicode.Bidi_Control, r), unicode.Is(hidden, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, string(utf8.RuneError)))
	return strings.Join(strings.Fields(text), " ")
}

// blank are letters that show nothing: fillers of Hangul, and the empty cell of Braille.
var blank = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x115f, Hi: 0x1160, Stride: 1},
	{Lo: 0x2800, Hi: 0x2800, Stride: 1},
	{Lo: 0x3164, Hi: 0x3164, Stride: 1},
	{Lo: 0xffa0, Hi: 0xffa0, Stride: 1},
}}

// hidden can carry a text that people do not see and programs read: soft hyphens, invisible operators, annotations,
// and tags, without which the flags of parts of countries are black ones.
var hidden = &unicode.RangeTable{
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
func countBytes(s string) int { return len(s) }

// countUnits counts UTF-16 units; tools that count runes find no more.
func countUnits(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}

// countJSON counts the bytes that a text takes inside a JSON string as jsonOf writes it.
func countJSON(s string) int { return len(s) + strings.Count(s, `"`) + strings.Count(s, `\`) }

// The ways to escape.

// quiet keeps a name after an @ from being called, and changes nothing else.
func quiet(r rune) string {
	if r == '@' || r == '＠' {
		return string(r) + invisible
	}
	return string(r)
}

// inHTML is for tools that read HTML.
func inHTML(r rune) string {
	switch r {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	case '"':
		return "&quot;"
	}
	return quiet(r)
}

// inMarkdown is for tools that take a backslash before punctuation as CommonMark does.
func inMarkdown(r rune) string {
	if strings.ContainsRune("\\`*_{}[]()<>#+-.!|~:&$=", r) {
		return `\` + string(r)
	}
	return quiet(r)
}

// lookAlikes stand for the characters that are markup to tools whose markdown has no escapes.
var lookAlikes = map[rune]string{
	'\\': "＼", '`': "ˋ", '*': "∗", '_': "ˍ", '[': "［", ']': "］", '<': "‹", '>': "›", '#': "＃", '~': "∼", '|': "∣",
	'$': "＄", '@': "＠" + invisible, '＠': "＠" + invisible, '&': "&" + invisible, ':': ":" + invisible,
}

func inLookAlikes(r rune) string {
	if other, ok := lookAlikes[r]; ok {
		return other
	}
	return string(r)
}

// guarded is for plain texts of tools that elsewhere read <at> and the like.
func guarded(r rune) string {
	if r == '<' {
		return "<" + invisible
	}
	return quiet(r)
}

// maxLink is the length of the longest link that is sent; ours are far shorter.
const maxLink = 500

// link returns an address that is safe inside any tool's markup, or "" if it is no address of the web.
func link(address string) string {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return ""
	}
	var b strings.Builder
	for _, c := range []byte(u.String()) {
		if c <= ' ' || c > '~' || strings.IndexByte("\"'()*<>[\\]^`{|}", c) >= 0 {
			const hex = "0123456789ABCDEF"
			b.WriteString("%" + string(hex[c>>4]) + string(hex[c&15]))
			continue
		}
		b.WriteByte(c)
	}
	if b.Len() > maxLink {
		return ""
	}
	return b.String()
}
