package webhooks

import (
	"strings"

	"tandem/domain"
)

// Worded reports whether the state of a stored event type has a manner.
func Worded(stored string) bool {
	_, ok := manners[domain.PublicType(stored)]
	return ok
}

// Flat is what of a text can be shown in a line.
func Flat(text string) string { return flat(text) }

// Canonical takes look-alikes and invisible characters away again.
func Canonical(text string) string {
	var pairs []string
	for r, other := range lookAlikes {
		if r == '＠' {
			continue
		}
		pairs = append(pairs, strings.ReplaceAll(other, invisible, ""), string(r))
	}
	return strings.NewReplacer(append(pairs, "＠", "@")...).Replace(strings.ReplaceAll(text, invisible, ""))
}
