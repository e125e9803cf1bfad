package projections_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/projections"
)

// everybody returns the viewers whose views tests compare.
func everybody() []projections.Viewer {
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

// dump renders everything that a viewer can read, a line for each answer.
func dump(t require.TestingT, i *projections.Image, v projections.Viewer) string {
	d := &dumper{t: t, i: i, v: v}
	require.NoError(t, i.View(v, func(view *projections.View) error {
		d.view(view)
		return nil
	}))
	d.add("position", i.Position(v, ""))
	page, err := i.Page(v, "dump", func(view *projections.View) (projections.Answer, error) {
		list, next, err := view.Milestones(projections.MilestoneQuery{Limit: 200})
		return projections.Answer{Version: view.Version(), Body: projections.Milestones{Milestones: list, NextCursor: next}}, err
	})
	require.NoError(t, err)
	d.add("page", page.ETag, page.Position)
	feed, err := i.PartnerEvents(context.Background(), v, "", 10_000)
	require.NoError(t, err)
	d.add("feed", feed)
	for _, a := range d.agreements {
		events, ok, err := i.AgreementEvents(context.Background(), v, a, "", 10_000)
		require.NoError(t, err)
		d.add("events", ok, events, i.Position(v, a))
	}
	for _, m := range d.milestones {
		events, ok, err := i.History(context.Background(), v, m, "", 10_000)
		require.NoError(t, err)
		d.add("history", m, ok, events)
	}
	return strings.Join(d.lines, "\n")
}

type dumper struct {
	t          require.TestingT
	i          *projections.Image
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

func (d *dumper) view(v *projections.View) {
	d.add("version", v.Version())
	d.add("partners", v.Partners())
	for _, p := range []domain.PartnerID{"nokia", "xiaomi", "sony"} {
		one, ok := v.Partner(p)
		d.add("directory", one, ok, v.Members(p), v.Tokens(p), v.Webhooks(p))
	}
	d.add("status", v.Status())
	d.add("inbox", v.Inbox())
	d.inbox(v)
	d.add("agreements", v.Agreements())
	for n := range 3 {
		a := domain.AgreementID(fmt.Sprintf("a%d", n))
		one, ok := v.Agreement(a)
		d.add("agreement", one, ok, v.Instruments(a), v.Projects(a), v.Amendments(a))
		public, ok := v.Public(a)
		d.add("public", public, ok)
		d.agreements = append(d.agreements, a)
		d.projects(v, a)
	}
}

func (d *dumper) projects(v *projections.View, a domain.AgreementID) {
	for n := range 2 {
		p := domain.ProjectID(fmt.Sprintf("p%d", n))
		one, ok := v.Project(a, p)
		status, seen := v.ProjectStatus(a, p)
		require.Equal(d.t, ok, seen)
		list, _, err := v.Milestones(projections.MilestoneQuery{Agreement: a, Project: p, Limit: 200})
		require.NoError(d.t, err)
		trend, _, err := v.Trend(projections.MilestoneQuery{Agreement: a, Project: p, Limit: 200})
		require.NoError(d.t, err)
		d.add("project", one, ok, status, list, v.Changes(a, p), trend)
		ids := sharedIDs()
		for _, who := range cast() {
			ids = append(ids, secretIDs(who)...)
		}
		for _, id := range ids {
			ref := domain.MilestoneRef{Agreement: a, Project: p, Milestone: id}
			m, ok := v.Milestone(ref)
			dates, known := v.Dates(ref)
			require.Equal(d.t, ok, known)
			d.add("milestone", m, ok, dates)
			d.milestones = append(d.milestones, ref)
		}
	}
}
