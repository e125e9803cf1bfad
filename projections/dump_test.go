package projections_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
	"tandem/projections/sentences"
)

// allViewers returns the viewers whose views tests compare.
func allViewers() []projections.Viewer {
	return []projections.Viewer{
		{Partner: "nokia"},
		{Partner: "xiaomi"},
		{Partner: "sony"},
		{Partner: "xiaomi", Scope: "a1"},
		{Partner: "nokia", Scope: "a0"},
		{Partner: "stranger"},
		{Operator: true},
	}
}

// dump renders all views of a viewer, one line for each answer.
func dump(t require.TestingT, model *projections.ReadModel, viewer projections.Viewer) string {
	d := &dumper{t: t, i: model, v: viewer}
	require.NoError(t, model.View(viewer, func(view *projections.View) error {
		d.view(view)
		return nil
	}))
	d.add("position", model.Position(viewer, ""))
	page, err := model.Page(viewer, "dump", func(view *projections.View) (projections.Answer, error) {
		list, next, err := view.Milestones(projections.MilestoneQuery{Limit: 200})
		return projections.Answer{Version: view.Version(), Body: api.Milestones{Milestones: list, NextCursor: next}}, err
	})
	require.NoError(t, err)
	d.add("page", page.ETag, page.Position)
	feed, _, err := readFeed(context.Background(), model, viewer, projections.EventScope{}, "", 10_000)
	require.NoError(t, err)
	d.add("feed", feed)
	for _, agreement := range d.agreements {
		events, ok, err := readFeed(context.Background(), model, viewer, projections.EventScope{Agreement: agreement}, "", 10_000)
		require.NoError(t, err)
		d.add("events", ok, events, model.Position(viewer, agreement))
	}
	for _, m := range d.milestones {
		events, ok, err := readFeed(context.Background(), model, viewer, projections.EventScope{Milestone: m}, "", 10_000)
		require.NoError(t, err)
		d.add("history", m, ok, events)
	}
	return strings.Join(d.lines, "\n")
}

type dumper struct {
	t          require.TestingT
	i          *projections.ReadModel
	v          projections.Viewer
	lines      []string
	agreements []domain.AgreementID
	milestones []domain.MilestoneRef
}

func (d *dumper) add(name string, values ...any) {
	for _, x := range values {
		b, err := projections.Render(x)
		require.NoError(d.t, err)
		name += " " + string(b)
	}
	d.lines = append(d.lines, name)
}

func (d *dumper) view(view *projections.View) {
	d.add("version", view.Version())
	d.add("partners", view.Partners())
	for _, partner := range []domain.PartnerID{"nokia", "xiaomi", "sony"} {
		one, ok := view.Partner(partner)
		d.add("directory", one, ok, view.Members(partner), view.Tokens(partner), view.Webhooks(partner), view.Invitations(partner), view.Contacts(partner))
	}
	d.add("status", view.Status())
	d.add("inbox", view.Inbox(sentences.English))
	d.inbox(view)
	d.add("agreements", view.Agreements())
	for n := range 3 {
		agreement := domain.AgreementID(fmt.Sprintf("a%d", n))
		one, ok := view.Agreement(agreement)
		d.add("agreement", one, ok, view.Instruments(agreement), view.Projects(agreement), view.Amendments(agreement))
		public, ok := view.Public(agreement)
		d.add("public", public, ok)
		d.agreements = append(d.agreements, agreement)
		d.projects(view, agreement)
	}
}

func (d *dumper) projects(view *projections.View, agreement domain.AgreementID) {
	for n := range 2 {
		p := domain.ProjectID(fmt.Sprintf("p%d", n))
		one, ok := view.Project(agreement, p)
		status, seen := view.ProjectStatus(agreement, p)
		require.Equal(d.t, ok, seen)
		list, _, err := view.Milestones(projections.MilestoneQuery{Agreement: agreement, Project: p, Limit: 200})
		require.NoError(d.t, err)
		trend, _, err := view.Trend(projections.MilestoneQuery{Agreement: agreement, Project: p, Limit: 200})
		require.NoError(d.t, err)
		d.add("project", one, ok, status, list, view.Changes(agreement, p), trend)
		ids := sharedIDs()
		for _, who := range partnerIDs() {
			ids = append(ids, secretIDs(who)...)
		}
		for _, id := range ids {
			ref := domain.MilestoneRef{Agreement: agreement, Project: p, Milestone: id}
			m, ok := view.Milestone(ref)
			dates, known := view.Dates(ref)
			require.Equal(d.t, ok, known)
			d.add("milestone", m, ok, dates)
			d.milestones = append(d.milestones, ref)
		}
	}
}
