package tandem_test

import (
	"encoding/json"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// layout lists the packages that each package may import, and the reason for the limit. A package below a
// listed one belongs to it unless it is listed itself.
var layout = map[string]struct {
	may []string
	why string
}{
	"lookalike":                {nil, "whether names look alike depends on the names only"},
	"api":                      {[]string{"domain"}, "shapes have no logic, so that a client needs no server package"},
	"domain":                   {nil, "the rules are pure and depend on no other package"},
	"eventlog":                 {nil, "the log stores bytes and does not depend on its readers"},
	"eventlog/eventlogtest":    {[]string{"eventlog", "eventlog/wakeup"}, "the suite tests the contract only"},
	"eventlog/logcopy":         {[]string{"eventlog"}, "it copies through the contract and works with every store"},
	"eventlog/sqlite":          {[]string{"eventlog", "eventlog/wakeup"}, "a store depends on the contract, never on another store"},
	"eventlog/redis":           {[]string{"eventlog", "eventlog/wakeup"}, "a store depends on the contract, never on another store"},
	"eventlog/redis/redistest": {nil, "it runs Redis servers and does not depend on Tandem"},
	"eventlog/wakeup":          {nil, "a wake-up channel has no dependencies"},
	"projections":              {[]string{"api", "domain", "eventlog", "eventlog/wakeup", "projections/sentences"}, "views are folded from the log, independently of its writers"},
	"projections/feed":         {[]string{"api", "domain", "eventlog", "projections"}, "the event reader uses the read model, which does not depend on cursors"},
	"projections/sentences":    {[]string{"domain"}, "a sentence is rendered from an event only"},
	"bus":                      {[]string{"domain", "eventlog", "eventlog/wakeup", "projections"}, "the bus decides commands, independently of their senders"},
	"renames":                  {[]string{"bus", "domain", "eventlog", "eventlog/wakeup"}, "it compares directories with agreements and issues commands"},
	"webhooks":                 {[]string{"api", "domain", "eventlog", "eventlog/wakeup", "projections", "projections/feed", "projections/sentences", "webhooks/formats"}, "messages are rendered from the log and the views"},
	"webhooks/formats":         {nil, "a format turns a message into a request of one receiver and depends on nothing else"},
	"webhooks/webhooktest":     {nil, "the fakes follow the vendors' documentation, independently of the formats"},
	"http":                     {[]string{"api", "domain", "eventlog", "bus", "lookalike", "projections", "projections/feed", "projections/sentences", "webhooks", "webhooks/formats"}, "the edge uses bus and views, and no store"},
	"cmd":                      {[]string{"api", "domain", "eventlog", "eventlog/logcopy", "eventlog/sqlite", "eventlog/redis", "bus", "projections", "projections/feed", "projections/sentences", "renames", "webhooks", "http"}, "cmd wires the packages together"},
}

// exclusive lists the only packages that may import a library, by prefix of its path.
var exclusive = map[string][]string{
	"github.com/labstack/echo":           {"http"},
	"github.com/danielgtaylor/huma":      {"http"},
	"github.com/ThreeDotsLabs/watermill": {"bus"},
	"github.com/redis/go-redis":          {"eventlog/redis", "eventlog/redis/redistest"},
	"modernc.org/sqlite":                 {"eventlog/sqlite"},
	"database/sql":                       {"eventlog/sqlite"},
	"github.com/spf13":                   {"cmd"},
	"go.mau.fi/util":                     {"lookalike"},
}

// standardOnly lists the packages that import no library but the standard one.
var standardOnly = []string{"domain", "eventlog"}

type pkg struct {
	ImportPath string
	Imports    []string
}

func TestArrows(t *testing.T) {
	for _, p := range packages(t) {
		owner := ownerOf(p.ImportPath)
		if owner == "" {
			continue
		}
		for _, imported := range p.Imports {
			if target := ownerOf(imported); target != "" && target != owner {
				require.Truef(t, slices.Contains(layout[owner].may, target),
					"%s imports %s: %s. If a change needs this import, reconsider the boundary.", p.ImportPath, imported, layout[owner].why)
			}
			checkLibrary(t, p.ImportPath, owner, imported)
		}
	}
}

func checkLibrary(t *testing.T, from, owner, imported string) {
	t.Helper()
	for prefix, owners := range exclusive {
		if strings.HasPrefix(imported, prefix) {
			require.Containsf(t, owners, owner, "%s imports %s: only %s may import that library, so that it can be replaced in one place",
				from, imported, strings.Join(owners, " and "))
		}
	}
	if slices.Contains(standardOnly, owner) && strings.Contains(strings.Split(imported, "/")[0], ".") {
		require.Failf(t, "a library outside the standard one", "%s imports %s: %s imports the standard library only", from, imported, owner)
	}
}

// TestLayoutListsEveryPackage fails for a package without a place in the layout.
func TestLayoutListsEveryPackage(t *testing.T) {
	for _, p := range packages(t) {
		if p.ImportPath != "tandem" {
			require.NotEmptyf(t, ownerOf(p.ImportPath), "%s is missing in the layout", p.ImportPath)
		}
	}
}

// ownerOf returns the listed package that importPath belongs to: itself or its nearest listed ancestor.
func ownerOf(importPath string) string {
	rest, ours := strings.CutPrefix(importPath, "tandem/")
	if !ours {
		return ""
	}
	for at := rest; at != "."; at = path.Dir(at) {
		if _, listed := layout[at]; listed {
			return at
		}
	}
	return ""
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	require.NoError(t, err)
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p pkg
		require.NoError(t, d.Decode(&p))
		all = append(all, p)
	}
	require.NotEmpty(t, all)
	return all
}
