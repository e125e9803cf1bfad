package sentences

import (
	"strings"
	"unicode"
)

// In Chinese, one space separates a Chinese character from a Latin letter or digit. The messages contain no space
// where a value is inserted, because the value can begin with either. Values are marked with noncharacters, so that
// spaces are added only at their edges and never inside a title or a name.
const (
	valueMark = '\ufdd0'
	markText  = string(valueMark)
)

func mark(value string) string {
	if value == "" {
		return "" // a condition on an empty value stays false
	}
	return markText + strings.ReplaceAll(value, markText, "") + markText
}

func markEach(values []string) []string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = mark(value)
	}
	return texts
}

// marked returns the arguments with marked strings.
func marked(data args) args {
	all := make(args, len(data))
	for name, value := range data {
		if text, ok := value.(string); ok {
			value = mark(text)
		}
		all[name] = value
	}
	return all
}

// spaced replaces the marks by a space where a Chinese character meets a Latin letter or digit, otherwise by no
// character.
func spaced(text string) string {
	var spacedText strings.Builder
	var last rune
	edge := false
	for _, char := range text {
		if char == valueMark {
			edge = true
			continue
		}
		if edge && (isChinese(last) && isLatin(char) || isLatin(last) && isChinese(char)) {
			spacedText.WriteByte(' ')
		}
		spacedText.WriteRune(char)
		last, edge = char, false
	}
	return spacedText.String()
}

func isChinese(char rune) bool { return unicode.Is(unicode.Han, char) }

func isLatin(char rune) bool {
	return unicode.IsDigit(char) || unicode.IsLetter(char) && !unicode.In(char, unicode.Han, unicode.Hiragana, unicode.Katakana)
}
