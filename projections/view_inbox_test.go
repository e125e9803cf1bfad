package projections_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
	"tandem/projections/sentences"
)

// inbox checks the inbox of a random history: items are complete and sorted by key, and the status counts those
// that need a decision, in total and for each project.
func (d *dumper) inbox(view *projections.View) {
	items := view.Inbox(sentences.English)
	var keys []string
	decisions, within := 0, map[domain.ProjectRef]int{}
	for _, item := range items {
		keys = append(keys, projections.InboxItemKey(item))
		require.NotEmpty(d.t, item.Title)
		require.NotEmpty(d.t, item.Reason)
		require.NotZero(d.t, item.Since)
		require.NotEmpty(d.t, item.URL)
		require.Equal(d.t, item.Agreement == nil, item.Notice != nil)
		require.True(d.t, item.Kind == "notice" || item.Agreement != nil)
		if item.Kind == "notice" || (item.Kind == "condition" && item.MustMeet) {
			continue
		}
		decisions++
		if item.Project != nil {
			within[domain.ProjectRef{Agreement: *item.Agreement, Project: *item.Project}]++
		}
	}
	require.True(d.t, slices.IsSorted(keys))
	require.Len(d.t, slices.Compact(slices.Clone(keys)), len(keys))
	status := view.Status()
	require.Equal(d.t, decisions, status.AwaitingMyDecision)
	for _, p := range status.Projects {
		ref := domain.ProjectRef{Agreement: p.Agreement, Project: p.Project}
		require.Equal(d.t, within[ref], p.AwaitingMyDecision, ref)
		one, ok := view.ProjectStatus(p.Agreement, p.Project)
		require.True(d.t, ok)
		require.Equal(d.t, p, one)
	}
}

// notices returns the ids of the notices in the viewer's inbox.
func notices(t *testing.T, model *runningModel, viewer projections.Viewer) (ids []domain.NoticeID) {
	t.Helper()
	require.NoError(t, model.View(viewer, func(view *projections.View) error {
		for _, item := range view.Inbox(sentences.English) {
			if item.Kind == "notice" {
				ids = append(ids, *item.Notice)
			}
		}
		return nil
	}))
	return ids
}

// TestNotices: members of a partner see notices of the operator's changes in its directory until they are
// dismissed or their cause is gone. A token that is limited to some agreements sees none.
func TestNotices(t *testing.T) {
	h := newFixture(t)
	model := start(t, h.config())
	defer model.stop()
	for _, s := range openingSteps() {
		h.do(s.who, s.command)
	}
	h.do("nokia", domain.AddWebhook{WebhookRef: domain.WebhookRef{Partner: "nokia", Webhook: "ops"}, Settings: addWebhook("nokia", "ops").Settings})
	model.caughtUp(t)
	nokia := projections.Viewer{Partner: "nokia"}
	require.Equal(t, []domain.NoticeID{"token-ox1"}, notices(t, model, nokia))
	require.Empty(t, notices(t, model, projections.Viewer{Partner: "nokia", Scope: "a1"}))
	require.Empty(t, notices(t, model, projections.Viewer{Operator: true}))

	h.do("nokia", domain.DismissNotice{PartnerID: "nokia", Notice: "token-ox1"})
	model.caughtUp(t)
	require.Empty(t, notices(t, model, nokia))
	h.do("xiaomi", domain.RevokeToken{TokenRef: domain.TokenRef{Partner: "xiaomi", Token: "ox1"}})
	model.caughtUp(t)
	require.Empty(t, notices(t, model, projections.Viewer{Partner: "xiaomi"}))
}

// inboxOf returns the viewer's inbox in English.
func inboxOf(view *projections.View) []api.InboxItem { return view.Inbox(sentences.English) }
