package http

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/domain"
)

func TestSlugs(t *testing.T) {
	for title, want := range map[string]struct {
		id       string
		complete bool
	}{
		"FP4 field trial":               {"fp4-field-trial", true},
		"  72 h @ line-rate!  ":         {"72-h-line-rate", true},
		"Päätös":                        {"paatos", true},
		"Pöötös":                        {"pootos", true},
		"Ångström é Łódź Straße":        {"angstrom-e-lodz-strasse", true},
		"Smørrebrød Ægir Þór":           {"smorrebrod-aegir-thor", true},
		"ＦＰ４ ﬁeld":                      {"fp4-field", true},
		"C++":                           {"c", true},
		"C#":                            {"c", true},
		"阶段1":                           {"1", false},
		"里程碑1":                          {"1", false},
		"路由":                            {"", false},
		"Этап 1":                        {"1", false},
		"--":                            {"", true},
		strings.Repeat("a", 70):         {strings.Repeat("a", 63), true},
		strings.Repeat("a", 62) + " bc": {strings.Repeat("a", 62), true},
		strings.Repeat("a", 61) + " bc": {strings.Repeat("a", 61) + "-b", true},
	} {
		t.Run(title, func(t *testing.T) {
			id, complete := slugOf(title)
			require.Equal(t, want.id, id)
			require.Equal(t, want.complete, complete)
		})
	}
}

func FuzzSlug(f *testing.F) {
	for _, seed := range []string{"FP4 field trial", "ÄÖ", "K", "\xff-a", strings.Repeat("ab ", 40), strings.Repeat("ß", 40)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, title string) {
		id, _ := slugOf(title)
		if id == "" {
			return
		}
		require.True(t, domain.ValidSlug(id), id)
		again, complete := slugOf(id)
		require.Equal(t, id, again, "an id is its own slug")
		require.True(t, complete)
		if domain.ValidSlug(title) && !strings.HasSuffix(title, "-") && !strings.Contains(title, "--") {
			require.Equal(t, title, id)
		}
	})
}

// TestDerivedIDs creates resources of every kind whose titles have the same letters: each gets an id of its own, the
// same one for a repeat. Only an id that the client chose is refused if it is taken.
func TestDerivedIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, kind := range []struct {
		path string
		body func(title string) object
	}{
		{w.at(w.a, "routing") + "/milestones", func(title string) object {
			return object{"title": title, "owner": "nokia", "due_on": "2018-05-01"}
		}},
		{w.at(w.a) + "/projects", func(title string) object {
			return object{"title": title, "stage": "committed", "lead": "nokia", "participants": []string{"nokia", "xiaomi"}}
		}},
		{"/v1/partners/nokia/tokens", func(title string) object { return object{"name": title, "role": "viewer"} }},
		{"/v1/partners/nokia/webhooks", func(title string) object {
			return object{"title": title, "url": "https://ops.example/hook", "format": "standard", "events": []string{"*"}}
		}},
	} {
		seen := map[string]bool{}
		for i, title := range []string{"Päätös", "Paatos", "Paätos", "阶段1", "里程碑1", "C++", "C#", "Päätös"} {
			request := w.As("nokia").Key(kind.path + strconv.Itoa(i))
			first := request.POST(kind.path, kind.body(title)).Want(201)
			id := first.text("id")
			require.False(t, seen[id], "%s: %s", title, id)
			seen[id] = true
			require.True(t, strings.HasSuffix(first.header.Get("Location"), "/"+id))
			repeat := request.POST(kind.path, kind.body(title)).Want(201)
			require.Equal(t, id, repeat.text("id"))
			require.Equal(t, first.header.Get("Location"), repeat.header.Get("Location"))
			w.As("nokia").GET(first.header.Get("Location")).Want(200)
		}
		require.True(t, seen["paatos"])
		require.True(t, seen["c"])
		require.False(t, seen["1"], "letters were lost")
		chosen := kind.body("Päätös")
		chosen["id"] = "paatos"
		w.As("nokia").POST(kind.path, chosen).Want(409)
	}
}
