package projections_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/projections"
)

// inbox requires of every inbox that comes out of a random history: its items are whole and in the order
// of their keys, and the status counts those that wait for a decision, over all and for each project.
func (d *dumper) inbox(v *projections.View) {
	items := v.Inbox()
	var keys []string
	decisions, within := 0, map[domain.ProjectRef]int{}
	for _, i := range items {
		keys = append(keys, i.Key())
		require.NotEmpty(d.t, i.Title)
		require.NotEmpty(d.t, i.Reason)
		require.NotZero(d.t, i.Since)
		require.NotEmpty(d.t, i.URL)
		require.Equal(d.t, i.Agreement == nil, i.Notice != nil)
		require.True(d.t, i.Kind == "notice" || i.Agreement != nil)
		if i.Kind == "notice" || (i.Kind == "condition" && !strings.HasPrefix(i.Reason, "Your condition")) {
			continue
		}
		decisions++
		if i.Project != nil {
			within[domain.ProjectRef{Agreement: *i.Agreement, Project: *i.Project}]++
		}
	}
	require.True(d.t, slices.IsSorted(keys))
	require.Len(d.t, slices.Compact(slices.Clone(keys)), len(keys))
	status := v.Status()
	require.Equal(d.t, decisions, status.AwaitingMyDecision)
	for _, p := range status.Projects {
		ref := domain.ProjectRef{Agreement: p.Agreement, Project: p.Project}
		require.Equal(d.t, within[ref], p.AwaitingMyDecision, ref)
		one, ok := v.ProjectStatus(p.Agreement, p.Project)
		require.True(d.t, ok)
		require.Equal(d.t, p, one)
	}
}

// notices returns the ids of the notices in the viewer's inbox.
func notices(t *testing.T, i *image, v projections.Viewer) (ids []domain.NoticeID) {
	t.Helper()
	require.NoError(t, i.View(v, func(view *projections.View) error {
		for _, item := range view.Inbox() {
			if item.Kind == "notice" {
				ids = append(ids, *item.Notice)
			}
		}
		return nil
	}))
	return ids
}

// TestNotices: what the operator did in a partner's directory is told to that partner's members, not to
// those whose tokens are limited to some agreements, until somebody dismisses it or it has gone.
func TestNotices(t *testing.T) {
	h := newHouse(t)
	i := start(t, h.config())
	defer i.stop()
	for _, s := range opening() {
		h.do(s.who, s.command)
	}
	h.do("nokia", domain.AddWebhook{Partner: "nokia", Webhook: "ops", Settings: addWebhook("nokia", "ops").Settings})
	i.caughtUp(t)
	nokia := projections.Viewer{Partner: "nokia"}
	require.Equal(t, []domain.NoticeID{"token-ox1"}, notices(t, i, nokia))
	require.Empty(t, notices(t, i, projections.Viewer{Partner: "nokia", Scope: "a1"}))
	require.Empty(t, notices(t, i, projections.Viewer{Operator: true}))

	h.do("nokia", domain.DismissNotice{Partner: "nokia", Notice: "token-ox1"})
	i.caughtUp(t)
	require.Empty(t, notices(t, i, nokia))
	h.do("xiaomi", domain.RevokeToken{Partner: "xiaomi", Token: "ox1"})
	i.caughtUp(t)
	require.Empty(t, notices(t, i, projections.Viewer{Partner: "xiaomi"}))
}
