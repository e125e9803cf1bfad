package domain

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Texts that one partner writes must appear to all others as written: on a page, in a terminal, in a chat
// channel. A text therefore has no characters that reverse or hide others, or control the display, and titles and
// names have one line. Otherwise a partner could sign a text that reads differently from the stored one.

// maxMarksPerLetter limits combining marks on one letter. Languages use up to five.
const maxMarksPerLetter = 8

// text validates a text field: the limit in characters, whether it is required, and whether it is readable.
func (v *validation) text(field, value string, limit int, required bool) {
	v.textField(field, value, limit, required, false)
}

// line is text for single-line fields.
func (v *validation) line(field, value string, limit int, required bool) {
	v.textField(field, value, limit, required, true)
}

func (v *validation) textField(field, value string, limit int, required, oneLine bool) {
	if required && isBlank(value) {
		v.add(field, "required")
		return
	}
	if n := utf8.RuneCountInString(value); n > limit {
		v.add(field, "has %d characters; shorten it to at most %d", n, limit)
	}
	if why := UnreadableReason(value, oneLine); why != "" {
		v.add(field, "%s", why)
	}
}

// UnreadableReason returns why a text would not appear to others as written; empty if it would.
func UnreadableReason(text string, oneLine bool) string {
	marks, tags := 0, false
	for at, char := range text {
		if char >= ' ' && char < 0x7f {
			marks, tags = 0, false
			continue
		}
		if isLineBreak(char) && oneLine {
			return "has a line break or a tab; use one line"
		}
		tags = char == 0x1f3f4 || (tags && isTag(char)) // some regional flags consist of tags
		if isUnsafeControl(char) || (isTag(char) && !tags) {
			return fmt.Sprintf("has the character U+%04X at byte %d, which changes how the text appears; remove it", char, at)
		}
		if marks++; !unicode.In(char, unicode.Mn, unicode.Me) {
			marks = 0
		}
		if marks > maxMarksPerLetter {
			return fmt.Sprintf("has more than %d combining marks on one letter; remove some", maxMarksPerLetter)
		}
	}
	return ""
}

func isLineBreak(char rune) bool { return char == '\n' || char == '\r' || char == '\t' || char == 0x85 }

// isTag reports whether the character is an invisible copy of an ASCII character.
func isTag(char rune) bool { return char >= 0xe0000 && char <= 0xe007f }

// isUnsafeControl reports whether the character is a control character other than a line break or tab, changes
// the text direction, or is a Unicode line separator.
func isUnsafeControl(char rune) bool {
	switch {
	case char == '\n', char == '\r', char == '\t':
		return false
	case char >= 0x202a && char <= 0x202e, char >= 0x2066 && char <= 0x2069, char == 0x2028, char == 0x2029, char >= 0xfff9 && char <= 0xfffb:
		return true
	}
	return unicode.IsControl(char)
}

// isBlank reports whether the text has no visible character.
func isBlank(text string) bool {
	return strings.IndexFunc(text, func(char rune) bool {
		switch char {
		case 0x115f, 0x1160, 0x2800, 0x3164, 0xffa0: // filler characters
			return false
		}
		return !unicode.IsSpace(char) && !unicode.In(char, unicode.Cf, unicode.Cc, unicode.Mn, unicode.Me)
	}) < 0
}
