package projections_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/projections"
)

// look reads one thing of the present.
func look[T any](i *image, v projections.Viewer, get func(*projections.View) T) (x T) {
	_ = i.View(v, func(view *projections.View) error {
		x = get(view)
		return nil
	})
	return x
}

func ids(list []projections.Milestone) []domain.MilestoneID {
	found := []domain.MilestoneID{}
	for _, m := range list {
		found = append(found, m.ID)
	}
	return found
}

func queried(t *testing.T, i *image, v projections.Viewer, q projections.MilestoneQuery) []domain.MilestoneID {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 200
	}
	list, err := []projections.Milestone(nil), error(nil)
	_ = i.View(v, func(view *projections.View) error {
		list, _, err = view.Milestones(q)
		return err
	})
	require.NoError(t, err)
	return ids(list)
}

// portfolio has milestones of both owners in several states.
func portfolio(t *testing.T) (*house, *image) {
	h := newHouse(t)
	h.settle()
	i := h.follow(t, h.config())
	h.plan("late", domain.NewDate(2017, 7, 1))
	h.plan("b", domain.NewDate(2017, 8, 1))
	h.plan("a", domain.NewDate(2017, 8, 1))
	h.do("xiaomi", domain.PlanMilestone{Ref: ref("theirs"), Plan: domain.Plan{Title: "Theirs", Owner: "xiaomi", DueOn: 20170715}})
	h.do("nokia", domain.PlanMilestone{Ref: ref("secret-1"), Plan: domain.Plan{Title: "Secret", Owner: "nokia", DueOn: 20170710}, Private: true})
	amber := domain.Amber
	h.do("nokia", domain.StartMilestone{Ref: ref("b")})
	h.do("nokia", domain.ReportProgress{Ref: ref("b"), Health: &amber})
	i.caughtUp(t)
	return h, i
}

func TestMilestonesAreSortedAndFiltered(t *testing.T) {
	_, i := portfolio(t)
	yes, no := true, false
	type list = []domain.MilestoneID
	type query = projections.MilestoneQuery
	for name, c := range map[string]struct {
		q      query
		nokia  list
		xiaomi list
	}{
		"all":        {query{}, list{"late", "secret-1", "theirs", "a", "b"}, list{"late", "theirs", "a", "b"}},
		"project":    {query{Agreement: agreementID, Project: projectID}, list{"late", "secret-1", "theirs", "a", "b"}, list{"late", "theirs", "a", "b"}},
		"agreement":  {query{Agreement: agreementID}, list{"late", "secret-1", "theirs", "a", "b"}, list{"late", "theirs", "a", "b"}},
		"elsewhere":  {query{Agreement: "other"}, list{}, list{}},
		"no project": {query{Agreement: agreementID, Project: "other"}, list{}, list{}},
		"state":      {query{State: domain.InProgress}, list{"b"}, list{"b"}},
		"health":     {query{Health: domain.Amber}, list{"b"}, list{"b"}},
		"owner":      {query{Role: "owner"}, list{"late", "secret-1", "a", "b"}, list{"theirs"}},
		"acceptor":   {query{Role: "acceptor"}, list{"theirs"}, list{"late", "a", "b"}},
		"before":     {query{DueBefore: 20170715}, list{"late", "secret-1"}, list{"late"}},
		"after":      {query{DueAfter: 20170715}, list{"a", "b"}, list{"a", "b"}},
		"overdue":    {query{Overdue: &yes}, list{"late"}, list{"late"}},
		"in time":    {query{Overdue: &no, State: domain.Planned}, list{"secret-1", "theirs", "a"}, list{"theirs", "a"}},
	} {
		require.Equal(t, c.nokia, queried(t, i, partner("nokia"), c.q), name)
		require.Equal(t, c.xiaomi, queried(t, i, partner("xiaomi"), c.q), name)
	}
	require.Empty(t, queried(t, i, projections.Viewer{Partner: "nokia", Scope: "other"}, projections.MilestoneQuery{}))
	require.Empty(t, queried(t, i, projections.Viewer{Operator: true}, projections.MilestoneQuery{}))
}

func TestMilestonesPageByPage(t *testing.T) {
	h, i := portfolio(t)
	for _, scoped := range []projections.MilestoneQuery{{}, {Agreement: agreementID, Project: projectID}} {
		var found []domain.MilestoneID
		q := scoped
		q.Limit = 2
		for more := true; more; {
			require.NoError(t, i.View(partner("xiaomi"), func(v *projections.View) error {
				list, next, err := v.Milestones(q)
				found = append(found, ids(list)...)
				if more = next != nil; more {
					q.Cursor = *next
				}
				return err
			}))
		}
		require.Equal(t, []domain.MilestoneID{"late", "theirs", "a", "b"}, found)
	}
	for _, bad := range []string{"x", "!", "MjAxOC0wMS0wMS9hL2I", "bm8tZGF0ZS9hL2IvYw", "MjAxOC0wMS0wMS9hL2IvQw"} {
		err := i.View(partner("xiaomi"), func(v *projections.View) error {
			_, _, err := v.Milestones(projections.MilestoneQuery{Limit: 2, Cursor: bad})
			return err
		})
		require.ErrorIs(t, err, projections.ErrCursor, bad)
	}
	due := domain.NewDate(2017, 6, 1)
	h.do("nokia", domain.EditMilestone{Ref: ref("b"), DueOn: &due})
	i.caughtUp(t)
	require.Equal(t, []domain.MilestoneID{"b", "late", "theirs", "a"}, queried(t, i, partner("xiaomi"), projections.MilestoneQuery{}))
	h.do("nokia", domain.ShareMilestone{Ref: ref("secret-1")})
	i.caughtUp(t)
	require.Equal(t, []domain.MilestoneID{"b", "late", "secret-1", "theirs", "a"}, queried(t, i, partner("xiaomi"), projections.MilestoneQuery{}))
}

func TestStatusCountsWhatItsViewerSees(t *testing.T) {
	_, i := portfolio(t)
	nokia := look(i, partner("nokia"), (*projections.View).Status)
	require.Equal(t, 4, nokia.Counts.State[domain.Planned])
	require.Equal(t, domain.MilestoneID("secret-1"), nokia.NextDue.Milestone)
	xiaomi := look(i, partner("xiaomi"), (*projections.View).Status)
	require.Equal(t, map[domain.MilestoneState]int{"planned": 3, "in_progress": 1, "delivered": 0, "conditionally_accepted": 0, "accepted": 0, "disputed": 0, "waived": 0, "cancelled": 0}, xiaomi.Counts.State)
	require.Equal(t, map[domain.Health]int{"green": 0, "amber": 1, "red": 0}, xiaomi.Counts.Health)
	require.Equal(t, 1, xiaomi.Overdue)
	require.Equal(t, domain.MilestoneID("theirs"), xiaomi.NextDue.Milestone)
	require.Len(t, xiaomi.Projects, 1)
	require.Equal(t, xiaomi.Counts, xiaomi.Projects[0].Counts)
	none := look(i, projections.Viewer{Partner: "xiaomi", Scope: "other"}, (*projections.View).Status)
	require.Zero(t, none.Counts.State[domain.Planned])
	require.Empty(t, none.Projects)
}

func TestAPrivateForecastIsItsPartnersOnly(t *testing.T) {
	h, i := portfolio(t)
	h.do("nokia", domain.MoveForecast{Ref: ref("a"), On: 20170901, Private: true})
	h.do("nokia", domain.MoveForecast{Ref: ref("a"), On: 20170801})
	i.caughtUp(t)
	read := func(v projections.Viewer) projections.Milestone {
		return look(i, v, func(view *projections.View) projections.Milestone {
			m, _ := view.Milestone(ref("a"))
			return m
		})
	}
	nokia, xiaomi := read(partner("nokia")), read(partner("xiaomi"))
	require.EqualValues(t, 20170901, *nokia.PrivateForecast)
	require.Nil(t, xiaomi.PrivateForecast)
	require.EqualValues(t, 3, nokia.Version)
	require.EqualValues(t, 2, xiaomi.Version)
	require.Equal(t, map[domain.PartnerID]domain.Date{"nokia": 20170801}, xiaomi.Forecasts)
}

func TestARejectionStaysInTheDecisions(t *testing.T) {
	h, i := portfolio(t)
	decision := func() projections.Decision {
		i.caughtUp(t)
		return look(i, partner("nokia"), func(v *projections.View) projections.Decision {
			m, _ := v.Milestone(ref("b"))
			return m.Acceptance.Decisions["xiaomi"]
		})
	}
	require.Equal(t, "none", decision().State)
	h.do("nokia", domain.DeliverMilestone{Ref: ref("b")})
	require.Equal(t, "pending", decision().State)
	h.do("xiaomi", domain.RejectMilestone{Ref: ref("b"), Reasons: []string{"too slow"}})
	require.Equal(t, "rejected", decision().State)
	require.EqualValues(t, 20170705, *decision().DecidedOn)
	h.do("nokia", domain.DeliverMilestone{Ref: ref("b")})
	require.Equal(t, "pending", decision().State)
}

func TestInbox(t *testing.T) {
	h := newHouse(t)
	h.settle()
	i := h.follow(t, h.config())
	inbox := func(p domain.PartnerID) []projections.InboxItem {
		i.caughtUp(t)
		return look(i, partner(p), (*projections.View).Inbox)
	}
	require.Empty(t, inbox("xiaomi"))

	h.do("nokia", domain.DraftAgreement{ID: "next", Terms: domain.Terms{Title: "Next", Parties: []domain.PartnerID{"nokia", "xiaomi"}, EffectiveOn: 20180101}})
	drafted := h.clock.Now()
	h.do("nokia", domain.SignAgreement{ID: "next"})
	require.Empty(t, inbox("nokia"))
	title := "Next again"
	h.do("xiaomi", domain.EditAgreement{ID: "next", Title: &title})
	voided := h.clock.Now()
	require.Equal(t, voided, inbox("nokia")[0].Since, "the edit voided the signature")
	require.Equal(t, drafted, inbox("xiaomi")[0].Since, "it never signed")
	require.Equal(t, "signature", inbox("xiaomi")[0].Kind)

	p := domain.ProjectRef{Agreement: agreementID, Project: projectID}
	h.do("nokia", domain.CallStage{Ref: p, Move: domain.Start})
	h.do("nokia", domain.CallStage{Ref: p, Move: domain.Complete, Reason: "all done"})
	called := h.clock.Now()
	h.plan("fp4", 20180330)
	h.do("nokia", domain.StartMilestone{Ref: ref("fp4")})
	h.do("nokia", domain.DeliverMilestone{Ref: ref("fp4")})
	delivered := h.clock.Now()
	h.do("nokia", domain.CommentMilestone{Ref: ref("fp4"), Text: "please look"})
	require.Len(t, inbox("nokia"), 1)
	items := inbox("xiaomi")
	require.Len(t, items, 3)
	require.Equal(t, []string{"signature", "stage", "acceptance"}, []string{items[0].Kind, items[1].Kind, items[2].Kind})
	require.Equal(t, called, items[1].Since)
	require.Equal(t, "Nokia called complete: all done", items[1].Reason)
	require.Equal(t, delivered, items[2].Since)

	h.do("xiaomi", domain.CallStage{Ref: p, Move: domain.Complete})
	h.do("xiaomi", domain.AcceptMilestone{Ref: ref("fp4")})
	h.do("xiaomi", domain.SignAgreement{ID: "next"})
	h.do("nokia", domain.SignAgreement{ID: "next"})
	require.Empty(t, inbox("xiaomi"))
	require.Empty(t, inbox("nokia"))
}

func TestTheOperatorSeesDirectoriesAndNoAgreement(t *testing.T) {
	h, i := portfolio(t)
	h.do("nokia", domain.AddMember{Partner: "nokia", Member: "anna", Role: domain.Manager})
	i.caughtUp(t)
	require.NoError(t, i.View(projections.Viewer{Operator: true}, func(v *projections.View) error {
		require.Len(t, v.Partners(), 2)
		require.Len(t, v.Members("nokia"), 1)
		require.False(t, v.SeesAgreement(agreementID))
		require.False(t, v.SeesMilestone(ref("a")))
		require.Empty(t, v.Agreements())
		return nil
	}))
	require.NoError(t, i.View(partner("xiaomi"), func(v *projections.View) error {
		require.True(t, v.SeesPartner("nokia"))
		require.Empty(t, v.Members("nokia"))
		_, ok := v.Member("nokia", "anna")
		require.False(t, ok)
		return nil
	}))
}

func TestAnAgreementEndsWithItsLastDay(t *testing.T) {
	h := newHouse(t)
	for _, s := range opening() {
		h.do(s.who, s.command)
	}
	i := h.follow(t, h.config())
	state := func() domain.AgreementState {
		return look(i, partner("nokia"), func(v *projections.View) domain.AgreementState {
			a, _ := v.Agreement("a0")
			return a.State
		})
	}
	h.clock.set(time.Date(2017, 7, 6, 23, 59, 0, 0, time.UTC))
	require.Equal(t, domain.AgreementActive, state())
	h.clock.set(time.Date(2017, 7, 7, 0, 0, 0, 0, time.UTC))
	require.Equal(t, domain.AgreementExpired, state())
}
