// Package lookalike compares names as people see them.
package lookalike

import (
	"slices"
	"strings"
	"unicode"

	"go.mau.fi/util/confusable"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Keys returns the keys of a name, sorted and distinct. Two names look alike if they have a key in common. A name
// without a visible character has no key.
//
// A key is the skeleton of UTS #39, without regard to case, spaces and invisible characters. Whether two characters
// look alike depends on their case: the Cyrillic К looks like a K, but к does not look like a k. One key is therefore
// made of the name as it is written, and one of its lower case.
func Keys(name string) []string {
	name = strings.Map(visible, norm.NFKC.String(name))
	keys := slices.DeleteFunc([]string{key(name), key(fold(name))}, func(key string) bool { return key == "" })
	slices.Sort(keys)
	return slices.Compact(keys)
}

// InBrackets returns the parts of a name that are in brackets. Sentences show a member as "Anna (Nokia)", so a partner of
// that name would look like a member of Nokia.
func InBrackets(name string) []string {
	parts := strings.FieldsFunc(norm.NFKC.String(name), func(char rune) bool { return unicode.In(char, unicode.Ps, unicode.Pe) })
	if len(parts) > 0 && !unicode.In([]rune(norm.NFKC.String(name))[0], unicode.Ps) {
		parts = parts[1:] // in front of the first bracket
	}
	return slices.DeleteFunc(parts, func(part string) bool { return len(Keys(part)) == 0 })
}

// key maps to lower case only after the skeleton, which changes some letters to upper case. The skeleton makes no
// difference between 1, l and the upper-case I, so there is none between these and the lower-case i.
func key(name string) string {
	lower := fold(strings.Map(visible, confusable.Skeleton(name)))
	return strings.ReplaceAll(fold(confusable.Skeleton(lower)), "i", "l")
}

func fold(text string) string { return norm.NFKC.String(cases.Fold().String(text)) }

// visible returns -1, which removes the character, for a space and for a character that has no shape of its own.
func visible(char rune) rune {
	switch {
	case unicode.IsSpace(char), unicode.IsControl(char), char == 0x2800: // an empty Braille pattern
		return -1
	case unicode.In(char, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
		return -1
	}
	return char
}
