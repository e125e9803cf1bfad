package lookalike_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/lookalike"
)

func alike(one, other string) bool {
	return slices.ContainsFunc(lookalike.Keys(one), func(key string) bool { return slices.Contains(lookalike.Keys(other), key) })
}

func TestNamesThatLookAlike(t *testing.T) {
	for name, pair := range map[string][2]string{
		"the same":                {"Nokia", "Nokia"},
		"upper case":              {"Nokia", "NOKIA"},
		"Cyrillic o":              {"Nokia", "Nоkia"},
		"Cyrillic K":              {"Nokia", "NOКIA"},
		"Greek omicron":           {"Nokia", "Nοkia"},
		"all Cyrillic and Greek":  {"NOKIA", "ΝОКІА"},
		"zero-width space":        {"Nokia", "N\u200bokia"},
		"zero-width joiner":       {"Nokia", "No\u200dkia"},
		"soft hyphen":             {"Nokia", "No\u00adkia"},
		"variation selector":      {"Nokia", "Nokia\ufe0f"},
		"grapheme joiner":         {"Nokia", "No\u034fkia"},
		"Hangul filler":           {"Nokia", "\u3164Nokia"},
		"Braille blank":           {"Nokia", "Nokia\u2800"},
		"word joiner at the end":  {"Nokia", "Nokia\u2060"},
		"trailing space":          {"Nokia", "Nokia "},
		"two spaces":              {"Nokia Oyj", "Nokia  Oyj"},
		"no-break space":          {"Nokia Oyj", "Nokia\u00a0Oyj"},
		"full width":              {"Nokia", "Ｎｏｋｉａ"},
		"full-width upper case":   {"Nokia", "ＮＯＫＩＡ"},
		"dotless i":               {"Nokia", "Nokıa"},
		"dotted capital I":        {"Nokıa", "NOKIA"},
		"l in place of I":         {"NOKIA", "NOKlA"},
		"digit one":               {"Nokia", "Nok1a"},
		"digit zero":              {"Nokia", "N0kia"},
		"mathematical letters":    {"Nokia", "𝐍𝐨𝐤𝐢𝐚"},
		"circled letters":         {"Nokia", "Ⓝⓞⓚⓘⓐ"},
		"rn and m":                {"Xiaomi", "Xiaorni"},
		"composed and decomposed": {"Päätös", "Pa\u0308a\u0308to\u0308s"},
		"sharp s":                 {"Weiß", "WEISS"},
		"Cyrillic upper case":     {"Маяк", "МАЯК"},
		"Kangxi radical":          {"大米", "⼤⽶"},
		"Katakana and Han":        {"エ場", "工場"},
		"half-width Katakana":     {"ソニー", "ｿﾆｰ"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Truef(t, alike(pair[0], pair[1]), "%q %q", lookalike.Keys(pair[0]), lookalike.Keys(pair[1]))
		})
	}
}

func TestNamesThatDiffer(t *testing.T) {
	names := []string{
		"Nokia", "Noki", "Nokian", "Nokia Siemens Networks", "Xiaomi", "Xiaom", "小米", "大米", "小麦", "华为", "中兴", "中兴通讯",
		"Paatos", "Päätös", "Pöötös", "Ääni", "Aani", "Kone", "Könen", "Outokumpu", "Wärtsilä", "Wartsila", "Elisa", "Telia", "Sony",
		"ソニー", "삼성", "LG", "HTC", "Ericsson", "SK", "KDDI", "Яндекс", "Μυτιληναίος",
	}
	for i, one := range names {
		require.NotEmpty(t, lookalike.Keys(one), one)
		for _, other := range names[:i] {
			require.Falsef(t, alike(one, other), "%s and %s: %q %q", one, other, lookalike.Keys(one), lookalike.Keys(other))
		}
	}
}

func TestInBrackets(t *testing.T) {
	for name, parts := range map[string][]string{
		"Nokia": {}, "": {}, "Anna (Nokia)": {"Nokia"}, "安娜（诺基亚）": {"诺基亚"}, "Nokia (China) Oy": {"China", " Oy"}, "[Nokia]": {"Nokia"}, "Nokia ()": {},
	} {
		require.ElementsMatch(t, parts, lookalike.InBrackets(name), name)
	}
}

func TestNamesWithoutAVisibleCharacter(t *testing.T) {
	for _, name := range []string{"", " ", "\u200b", "\u2800\u3164", "\u00ad\ufe0f"} {
		require.Empty(t, lookalike.Keys(name), "%q", name)
	}
}

func FuzzKeysAreStable(f *testing.F) {
	f.Add("Nokia")
	f.Add("ΝОКІА ")
	f.Fuzz(func(t *testing.T, name string) {
		keys := lookalike.Keys(name)
		require.Equal(t, keys, lookalike.Keys(name))
		require.Equal(t, keys, lookalike.Keys(name+"\u200b"))
		require.LessOrEqual(t, len(keys), 2)
	})
}
