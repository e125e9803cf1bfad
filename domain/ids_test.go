package domain

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSlugs(t *testing.T) {
	for title, want := range map[string]string{
		"FP4 field trial":                    "fp4-field-trial",
		"  72 h @ line-rate!  ":              "72-h-line-rate",
		"路由":                                 "",
		"--":                                 "",
		strings.Repeat("a", 70):              strings.Repeat("a", 63),
		strings.Repeat("a", 62) + " " + "bc": strings.Repeat("a", 62),
		strings.Repeat("a", 61) + " " + "bc": strings.Repeat("a", 61) + "-b",
	} {
		require.Equal(t, want, Slug(title), title)
	}
	for _, bad := range []string{"", "-a", "A", "a_b", "a b", "ä", strings.Repeat("a", 64)} {
		require.False(t, ValidSlug(bad), bad)
	}
	require.True(t, ValidSlug("a-"))
	require.True(t, ValidSlug(strings.Repeat("0", 63)))
}

func FuzzSlug(f *testing.F) {
	for _, seed := range []string{"FP4 field trial", "ÄÖ", "K", "\xff-a", strings.Repeat("ab ", 40)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, title string) {
		id := Slug(title)
		if id == "" {
			return
		}
		require.True(t, ValidSlug(id), id)
		require.Equal(t, id, Slug(id), "an id is its own slug")
		if ValidSlug(title) && !strings.HasSuffix(title, "-") && !strings.Contains(title, "--") {
			require.Equal(t, title, id)
		}
	})
}

func TestStreams(t *testing.T) {
	for name, root := range map[string]string{
		"partner/nokia": "partner/nokia", "agreement/a": "agreement/a", "project/a/p": "agreement/a",
	} {
		s, err := ParseStream(name)
		require.NoError(t, err)
		require.Equal(t, name, s.String())
		require.Equal(t, root, s.Root())
	}
	for _, bad := range []string{
		"", "partner", "partner/", "partner/a/b", "agreement/", "agreement/a/b", "project/a", "project//p",
		"project/a/", "project/a/p/m", "milestone/a", "PARTNER/a",
	} {
		_, err := ParseStream(bad)
		require.Error(t, err, bad)
	}
}

func FuzzParseStream(f *testing.F) {
	for _, seed := range []string{"partner/nokia", "agreement/a", "project/a/p", "project/a/b/c", "agreement//", "//"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		s, err := ParseStream(name)
		if err != nil {
			return
		}
		require.Equal(t, name, s.String())
		require.True(t, s.Partner != "" || s.Agreement != "")
		again, err := ParseStream(s.Root())
		require.NoError(t, err)
		require.Equal(t, s.Root(), again.Root())
	})
}
