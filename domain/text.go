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

// mostMarks is how many marks may stand on one letter. Languages take up to five.
const mostMarks = 8

// text checks a text field: its greatest length in characters, that it is there if required, and that it
// can be read as it is.
func (f *faults) text(field, value string, limit int, required bool) {
	f.written(field, value, limit, required, false)
}

// line is text for what has no second line.
func (f *faults) line(field, value string, limit int, required bool) {
	f.written(field, value, limit, required, true)
}

func (f *faults) written(field, value string, limit int, required, oneLine bool) {
	if required && blank(value) {
		f.add(field, "is required")
		return
	}
	if n := utf8.RuneCountInString(value); n > limit {
		f.add(field, "has %d characters; at most %d are allowed", n, limit)
	}
	if why := Unreadable(value, oneLine); why != "" {
		f.add(field, "%s", why)
	}
}

// Unreadable says why others could not read a text as it was written; empty: they can.
func Unreadable(s string, oneLine bool) string {
	marks, tags := 0, false
	for at, r := range s {
		if r >= ' ' && r < 0x7f {
			marks, tags = 0, false
			continue
		}
		if lineEnds(r) && oneLine {
			return "is more than one line, or has a tab"
		}
		tags = r == 0x1f3f4 || (tags && tag(r)) // the flags of some regions are written with tags
		if steers(r) || (tag(r) && !tags) {
			return fmt.Sprintf("has the character U+%04X at byte %d, which would show the text otherwise than it is", r, at)
		}
		if marks++; !unicode.In(r, unicode.Mn, unicode.Me) {
			marks = 0
		}
		if marks > mostMarks {
			return fmt.Sprintf("has more than %d marks on one letter", mostMarks)
		}
	}
	return ""
}

func lineEnds(r rune) bool { return r == '\n' || r == '\r' || r == '\t' || r == 0x85 }

// tag reports whether r is an invisible copy of an ASCII character.
func tag(r rune) bool { return r >= 0xe0000 && r <= 0xe007f }

// steers reports whether r is a control character but an end of line or a tab, or changes the direction of
// what follows, or separates lines by other means.
func steers(r rune) bool {
	switch {
	case r == '\n', r == '\r', r == '\t':
		return false
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x2028, r == 0x2029, r >= 0xfff9 && r <= 0xfffb:
		return true
	}
	return unicode.IsControl(r)
}

// blank reports whether there is nothing in s that anybody sees.
func blank(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		switch r {
		case 0x115f, 0x1160, 0x2800, 0x3164, 0xffa0: // fillers
			return false
		}
		return !unicode.IsSpace(r) && !unicode.In(r, unicode.Cf, unicode.Cc, unicode.Mn, unicode.Me)
	}) < 0
}
