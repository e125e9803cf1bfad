package formats

import "strings"

// RestoreLookAlikes replaces look-alikes by the original characters and removes zero-width spaces.
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
