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

// rooms says what each room may import of the others, and why the arrow does not go further. A
// package below a room belongs to it unless it is listed itself.
var rooms = map[string]struct {
	may []string
	why string
}{
	"domain":                   {nil, "the rules are pure: they know no other room"},
	"eventlog":                 {nil, "the log keeps bytes and knows nobody who reads them"},
	"eventlog/eventlogtest":    {[]string{"eventlog", "internal/wakeup"}, "the suite tests the contract alone"},
	"eventlog/logcopy":         {[]string{"eventlog"}, "it copies through the contract and works with every adapter"},
	"eventlog/sqlite":          {[]string{"eventlog", "internal/wakeup"}, "an adapter knows the contract, never a sibling"},
	"eventlog/redis":           {[]string{"eventlog", "internal/wakeup"}, "an adapter knows the contract, never a sibling"},
	"eventlog/redis/redistest": {nil, "it runs servers and knows nothing of Tandem"},
	"internal/wakeup":          {nil, "a wake-up channel has no dependencies"},
	"projections":              {[]string{"domain", "eventlog", "projections/sentences", "internal/wakeup"}, "views are folded from the log, whoever writes it"},
	"projections/feed":         {[]string{"domain", "eventlog", "projections"}, "the event reader uses the read model, which does not depend on cursors"},
	"projections/sentences":    {[]string{"domain"}, "a sentence is made of an event alone"},
	"bus":                      {[]string{"domain", "eventlog", "projections", "internal/wakeup"}, "the bus decides; it does not know who asked"},
	"webhooks":                 {[]string{"domain", "eventlog", "projections", "projections/feed", "projections/sentences", "webhooks/formats", "internal/wakeup"}, "deliveries are made of the log and the views, whoever changed them"},
	"webhooks/formats":         {nil, "a format turns a message into a request of one receiver and depends on nothing else"},
	"webhooks/webhooktest":     {nil, "the fakes are written from the tools' side and know nothing of how a message is made"},
	"http":                     {[]string{"domain", "eventlog", "bus", "projections", "projections/feed", "projections/sentences", "webhooks", "webhooks/formats"}, "the edge knows the bus and the views, and no adapter"},
	"cmd":                      {[]string{"domain", "eventlog", "eventlog/logcopy", "eventlog/sqlite", "eventlog/redis", "bus", "projections", "projections/feed", "projections/sentences", "webhooks", "http"}, "cmd joins the rooms"},
}

// only says which rooms alone may import a library, by the prefix of its path.
var only = map[string][]string{
	"github.com/labstack/echo":           {"http"},
	"github.com/danielgtaylor/huma":      {"http"},
	"github.com/ThreeDotsLabs/watermill": {"bus"},
	"github.com/redis/go-redis":          {"eventlog/redis", "eventlog/redis/redistest"},
	"modernc.org/sqlite":                 {"eventlog/sqlite"},
	"database/sql":                       {"eventlog/sqlite"},
	"github.com/spf13":                   {"cmd"},
}

// standardOnly are the rooms that import the standard library and their own arrows only.
var standardOnly = []string{"domain", "eventlog"}

type pkg struct {
	ImportPath string
	Imports    []string
}

func TestArrows(t *testing.T) {
	for _, p := range packages(t) {
		room := roomOf(p.ImportPath)
		if room == "" {
			continue
		}
		for _, imported := range p.Imports {
			if target := roomOf(imported); target != "" && target != room {
				require.Truef(t, slices.Contains(rooms[room].may, target),
					"%s imports %s: %s. If the change needs it, the boundary is the question.", p.ImportPath, imported, rooms[room].why)
			}
			checkLibrary(t, p.ImportPath, room, imported)
		}
	}
}

func checkLibrary(t *testing.T, from, room, imported string) {
	t.Helper()
	for prefix, owners := range only {
		if strings.HasPrefix(imported, prefix) {
			require.Containsf(t, owners, room, "%s imports %s: only %s knows that library, so that it can be exchanged there",
				from, imported, strings.Join(owners, " and "))
		}
	}
	if slices.Contains(standardOnly, room) && strings.Contains(strings.Split(imported, "/")[0], ".") {
		require.Failf(t, "a library where only the standard one may be", "%s imports %s: %s is built on the standard library alone", from, imported, room)
	}
}

// TestEveryPackageHasARoom fails for a package that nobody gave a place in the design.
func TestEveryPackageHasARoom(t *testing.T) {
	for _, p := range packages(t) {
		if p.ImportPath != "tandem" {
			require.NotEmptyf(t, roomOf(p.ImportPath), "%s is in no room; the design names them all", p.ImportPath)
		}
	}
}

// roomOf returns the room of a package of this module: the longest listed one that holds it.
func roomOf(importPath string) string {
	rest, ours := strings.CutPrefix(importPath, "tandem/")
	if !ours {
		return ""
	}
	for at := rest; at != "."; at = path.Dir(at) {
		if _, listed := rooms[at]; listed {
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
