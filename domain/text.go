package domain

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What one partner writes all others must be able to read as it was written: on a page, in a terminal, in a
// chat room. So texts have no characters that turn others round, hide them, or steer what shows
// them; a title, a name and the like are one line. Nobody signs what reads otherwise than it is.

// maxMarksPerLetter is how many marks may stand on one letter. Languages take up to five.
const maxMarksPerLetter = 8

// text checks a text field: its greatest length in characters, that it is there if required, and that it
// can be read as it is.
func (v *validation) text(field, value string, limit int, required bool) {
	v.textField(field, value, limit, required, false)
}

// line is text for what has no second line.
func (v *validation) line(field, value string, limit int, required bool) {
	v.textField(field, value, limit, required, true)
}

func (v *validation) textField(field, value string, limit int, required, oneLine bool) {
	if required && isBlank(value) {
		v.add(field, "is required")
		return
	}
	if n := utf8.RuneCountInString(value); n > limit {
		v.add(field, "has %d characters; at most %d are allowed", n, limit)
	}
	if why := UnreadableReason(value, oneLine); why != "" {
		v.add(field, "%s", why)
	}
}

// UnreadableReason says why others could not read a text as it was written; empty: they can.
func UnreadableReason(text string, oneLine bool) string {
	marks, tags := 0, false
	for at, char := range text {
		if char >= ' ' && char < 0x7f {
			marks, tags = 0, false
			continue
		}
		if isLineBreak(char) && oneLine {
			return "is more than one line, or has a tab"
		}
		tags = char == 0x1f3f4 || (tags && isTag(char)) // the flags of some regions are written with tags
		if isUnsafeControl(char) || (isTag(char) && !tags) {
			return fmt.Sprintf("has the character U+%04X at byte %d, which would show the text otherwise than it is", char, at)
		}
		if marks++; !unicode.In(char, unicode.Mn, unicode.Me) {
			marks = 0
		}
		if marks > maxMarksPerLetter {
			return fmt.Sprintf("has more than %d marks on one letter", maxMarksPerLetter)
		}
	}
	return ""
}

func isLineBreak(char rune) bool { return char == '\n' || char == '\r' || char == '\t' || char == 0x85 }

// isTag reports whether r is an invisible copy of an ASCII character.
func isTag(char rune) bool { return char >= 0xe0000 && char <= 0xe007f }

// isUnsafeControl reports whether r is a control character but an end of line or a tab, or changes the direction of
// what follows, or separates lines by other means.
func isUnsafeControl(char rune) bool {
	switch {
	case char == '\n', char == '\r', char == '\t':
		return false
	case char >= 0x202a && char <= 0x202e, char >= 0x2066 && char <= 0x2069, char == 0x2028, char == 0x2029, char >= 0xfff9 && char <= 0xfffb:
		return true
	}
	return unicode.IsControl(char)
}

// isBlank reports whether there is nothing in s that anybody sees.
func isBlank(text string) bool {
	return strings.IndexFunc(text, func(char rune) bool {
		switch char {
		case 0x115f, 0x1160, 0x2800, 0x3164, 0xffa0: // fillers
			return false
		}
		return !unicode.IsSpace(char) && !unicode.In(char, unicode.Cf, unicode.Cc, unicode.Mn, unicode.Me)
	}) < 0
}
