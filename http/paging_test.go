package http

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// elements returns the elements of a list's page.
func (a *answer) elements() []any {
	a.t.Helper()
	var all object
	a.into(&all)
	for _, v := range all {
		if list, ok := v.([]any); ok {
			return list
		}
	}
	require.Fail(a.t, "there is no list", a)
	return nil
}

// next returns the path in the Link header; empty on the last page.
func (a *answer) next() string {
	a.t.Helper()
	link := a.header.Get("Link")
	if link == "" {
		return ""
	}
	path, found := strings.CutSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
	require.True(a.t, found, link)
	return path
}

// walk reads a list page by page and checks that Link and next_cursor agree.
func (c caller) walk(path string, limit int) (all []any) {
	t := c.e.t
	t.Helper()
	for at := fmt.Sprintf("%s?limit=%d", path, limit); at != ""; {
		a := c.GET(at).Want(200)
		part := a.elements()
		require.LessOrEqual(t, len(part), limit)
		all = append(all, part...)
		at = a.next()
		if at == "" {
			if len(part) > 0 { // the end of a feed is empty and can be requested again
				require.Nil(t, a.get("next_cursor"), a)
			}
			break
		}
		parsed, err := url.Parse(at)
		require.NoError(t, err)
		require.Equal(t, a.get("next_cursor"), cmp.Or(parsed.Query().Get("cursor"), parsed.Query().Get("after")))
		require.LessOrEqual(t, len(all), 1000, "it never ends")
	}
	return all
}

// TestPaging reads every list with limits 1, 2 and 7: each element occurs once and in the same order.
func TestPaging(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seen, _ := w.reads()
	lists := 0
	for _, rt := range routes() {
		if !slices.ContainsFunc(rt.query, func(param parameter) bool { return param.name == "limit" }) {
			continue
		}
		lists++
		path, reader := rt.path, w.As("operator")
		if !rt.uncached {
			path, reader = seen[rt.operationID][0], w.As("nokia")
		}
		all := reader.GET(path + "?limit=200").Want(200).elements()
		require.NotEmpty(t, all, path)
		for _, limit := range []int{1, 2, 7} {
			require.Equal(t, all, reader.walk(path, limit), "%s in steps of %d", path, limit)
		}
		for _, wrong := range []string{"0", "201", "-1", "x", ""} {
			reader.GET(path+"?limit="+wrong).Refused(422, "invalid_field").Names("limit")
		}
		if rt.feed {
			reader.GET(path+"?after=yesterday").Refused(400, "invalid_position")
		} else {
			reader.GET(path+"?cursor=!").Refused(422, "invalid_field").Names("cursor")
		}
	}
	require.GreaterOrEqual(t, lists, 10)
}

// TestPagingWhileTheListChanges adds and removes milestones before and after the cursor.
func TestPagingWhileTheListChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/v1/partners/nokia/milestones"
	var told []string
	before := idsIn(w.As("nokia").GET(path + "?limit=200").elements())
	for at, n := path+"?limit=2", 0; at != ""; n++ {
		a := w.As("nokia").GET(at).Want(200)
		told = append(told, idsIn(a.elements())...)
		at = a.next()
		w.As("nokia").POST(w.at(w.a, "routing")+"/milestones", object{"id": fmt.Sprintf("early-%d", n), "title": "E", "owner": "nokia", "due_on": "2017-09-04"}).Want(201)
		w.As("nokia").PATCH(w.routing("planned"), object{"due_on": fmt.Sprintf("2017-09-0%d", 5+n%2)}).Want(200)
	}
	require.Equal(t, before, slices.Compact(told))
}

func idsIn(list []any) (ids []string) {
	for _, x := range list {
		ids = append(ids, x.(object)["id"].(string))
	}
	return ids
}

// TestMilestoneFilters compares every filter, alone and combined, with a filter of the test over the whole list.
func TestMilestoneFilters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.As("nokia").POST(w.routing("going")+"/progress", object{"health": "amber"}).Want(200)
	w.As("nokia").POST(w.routing("rejected")+"/progress", object{"health": "red"}).Want(200)
	all := w.As("xiaomi").GET("/v1/partners/xiaomi/milestones?limit=200").Want(200).elements()
	accepts := func(m object) bool { return slices.Contains(m["acceptors"].([]any), any("xiaomi")) }
	is := func(field string, value any) func(object) bool {
		return func(m object) bool { return m[field] == value }
	}
	filters := map[string]func(object) bool{
		"agreement=" + w.a: is("agreement", w.a), "agreement=" + w.three: is("agreement", w.three), "agreement=" + w.other: is("agreement", w.other),
		"project=routing": is("project", "routing"), "project=nothing": is("project", "nothing"),
		"state=planned": is("state", "planned"), "state=in_progress": is("state", "in_progress"), "state=accepted": is("state", "accepted"),
		"health=amber": is("health", "amber"), "health=red": is("health", "red"), "health=green": is("health", "green"),
		"role=owner": is("owner", "xiaomi"), "role=acceptor": accepts,
		"due_before=2017-10-03": func(m object) bool { return m["due_on"].(string) < "2017-10-03" },
		"due_after=2017-10-03":  func(m object) bool { return m["due_on"].(string) > "2017-10-03" },
		"overdue=true":          is("overdue", true), "overdue=false": is("overdue", false),
	}
	matched := 0
	for one, keepsOne := range filters {
		for other, keepsOther := range filters {
			name, _, _ := strings.Cut(one, "=")
			if strings.HasPrefix(other, name+"=") && one != other {
				continue // the same parameter twice is refused
			}
			query := one
			if one != other {
				query += "&" + other
			}
			wanted := []any{}
			for _, m := range all {
				if keepsOne(m.(object)) && keepsOther(m.(object)) {
					wanted = append(wanted, m)
				}
			}
			matched += len(wanted)
			require.Equal(t, wanted, w.As("xiaomi").GET("/v1/partners/xiaomi/milestones?limit=200&"+query).Want(200).elements(), query)
		}
	}
	require.Positive(t, matched)
	key := func(x any) string {
		m := x.(object)
		return fmt.Sprint(m["due_on"], " ", m["agreement"], " ", m["project"], " ", m["id"])
	}
	require.True(t, slices.IsSortedFunc(all, func(a, b any) int { return cmp.Compare(key(a), key(b)) }))
}

func TestWrongFilters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/v1/partners/nokia/milestones?"
	w.As("nokia").GET(path+"agreement=No&project=!&state=late&health=blue&role=friend&due_before=soon&due_after=2018-02-30&overdue=maybe&limit=0").
		Refused(422, "invalid_field").Names("agreement", "project", "state", "health", "role", "due_before", "due_after", "overdue", "limit")
	w.As("nokia").GET(path+"state=planned&state=accepted").Refused(400, "duplicate_parameter")
	w.As("nokia").GET(path+"State=planned").Refused(400, "unknown_parameter")
	w.As("nokia").GET(path+"state=%00").Refused(400, "invalid_query")
	w.As("nokia").GET(path+"state=%ff").Refused(400, "invalid_query")
	w.As("nokia").GET(path+"cursor=MjAxOA").Refused(422, "invalid_field").Names("cursor")
	routing := w.at(w.a, "routing") + "/milestones?"
	w.As("nokia").GET(routing+"project=routing").Refused(400, "unknown_parameter")
	require.Len(t, w.As("nokia").GET(routing+"state=accepted").Want(200).elements(), 1)
}
