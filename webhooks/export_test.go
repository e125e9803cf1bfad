package webhooks

import (
	"strings"

	"tandem/domain"
)

// HasStateStyle reports whether the state of a stored event type has a manner.
func HasStateStyle(stored string) bool {
	_, ok := eventStyles[domain.PublicType(stored)]
	return ok
}

// SingleLine is what of a text can be shown in a line.
func SingleLine(text string) string { return singleLine(text) }

// RestoreLookAlikes takes look-alikes and invisible characters away again.
func RestoreLookAlikes(text string) string {
	var pairs []string
	for char, other := range lookAlikes {
		if char == '＠' {
			continue
		}
		pairs = append(pairs, strings.ReplaceAll(other, zeroWidthSpace, ""), string(char))
	}
	return strings.NewReplacer(append(pairs, "＠", "@")...).Replace(strings.ReplaceAll(text, zeroWidthSpace, ""))
}
