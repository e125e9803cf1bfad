package formats_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/webhooks/formats"
)

// The last line of a long digest counts the omitted lines, in the language of the digest.
func TestLongDigestCountsMissingLines(t *testing.T) {
	var lines []string
	for range 1000 {
		lines = append(lines, strings.Repeat("标题", 40))
	}
	for lang, more := range map[string]*regexp.Regexp{
		"en": regexp.MustCompile(`and 9\d\d more`), "zh": regexp.MustCompile(`另有 9\d\d 条`), "fi": regexp.MustCompile(`ja vielä 9\d\d`),
	} {
		content := formats.Content{Headline: "1000 changes in FP4", DigestLines: lines, Link: exampleLink, Language: lang}
		for _, format := range formats.All() {
			if !format.Limits().Chat {
				continue
			}
			request, _ := formatRequest(t, format, testMessage(content), targets[format.Name()])
			fake := endpoint(format)
			require.True(t, exchangeWithFake(t, format, fake, request).OK, format.Name())
			require.Regexp(t, more, fake.Messages()[0].Text(), format.Name())
		}
	}
}
