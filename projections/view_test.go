package projections_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
)

// viewed reads one thing of the present.
func viewed[T any](model *runningModel, viewer projections.Viewer, get func(*projections.View) T) (value T) {
	_ = model.View(viewer, func(view *projections.View) error {
		value = get(view)
		return nil
	})
	return value
}

func ids(list []api.Milestone) []domain.MilestoneID {
	found := []domain.MilestoneID{}
	for _, m := range list {
		found = append(found, m.ID)
	}
	return found
}

func queried(t *testing.T, model *runningModel, viewer projections.Viewer, query projections.MilestoneQuery) []domain.MilestoneID {
	t.Helper()
	if query.Limit == 0 {
		query.Limit = 200
	}
	list, err := []api.Milestone(nil), error(nil)
	_ = model.View(viewer, func(view *projections.View) error {
		list, _, err = view.Milestones(query)
		return err
	})
	require.NoError(t, err)
	return ids(list)
}

// portfolio has milestones of both owners in several states.
func portfolio(t *testing.T) (*fixture, *runningModel) {
	h := newFixture(t)
	h.settle()
	model := h.follow(t, h.config())
	h.plan("late", domain.NewDate(2017, 7, 1))
	h.plan("b", domain.NewDate(2017, 8, 1))
	h.plan("a", domain.NewDate(2017, 8, 1))
	h.do("xiaomi", domain.PlanMilestone{MilestoneRef: milestoneRef("theirs"), Plan: domain.Plan{Title: "Theirs", Owner: "xiaomi", DueOn: 20170715}})
	h.do("nokia", domain.PlanMilestone{MilestoneRef: milestoneRef("secret-1"), Plan: domain.Plan{Title: "Secret", Owner: "nokia", DueOn: 20170710}, Private: true})
	amber := domain.Amber
	h.do("nokia", domain.StartMilestone{MilestoneRef: milestoneRef("b")})
	h.do("nokia", domain.ReportProgress{MilestoneRef: milestoneRef("b"), Health: &amber})
	model.caughtUp(t)
	return h, model
}

func TestMilestonesAreSortedAndFiltered(t *testing.T) {
	_, model := portfolio(t)
	yes, no := true, false
	type list = []domain.MilestoneID
	type query = projections.MilestoneQuery
	for name, row := range map[string]struct {
		query  query
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
		t.Run(name, func(t *testing.T) {
			require.Equal(t, row.nokia, queried(t, model, viewerOf("nokia"), row.query))
			require.Equal(t, row.xiaomi, queried(t, model, viewerOf("xiaomi"), row.query))
		})
	}
	require.Empty(t, queried(t, model, projections.Viewer{Partner: "nokia", Scope: "other"}, projections.MilestoneQuery{}))
	require.Empty(t, queried(t, model, projections.Viewer{Operator: true}, projections.MilestoneQuery{}))
}

func TestMilestonesPageByPage(t *testing.T) {
	h, model := portfolio(t)
	for _, scoped := range []projections.MilestoneQuery{{}, {Agreement: agreementID, Project: projectID}} {
		var found []domain.MilestoneID
		query := scoped
		query.Limit = 2
		for more := true; more; {
			require.NoError(t, model.View(viewerOf("xiaomi"), func(view *projections.View) error {
				list, next, err := view.Milestones(query)
				found = append(found, ids(list)...)
				if more = next != nil; more {
					query.Cursor = *next
				}
				return err
			}))
		}
		require.Equal(t, []domain.MilestoneID{"late", "theirs", "a", "b"}, found)
	}
	for _, bad := range []string{"x", "!", "MjAxOC0wMS0wMS9hL2I", "bm8tZGF0ZS9hL2IvYw", "MjAxOC0wMS0wMS9hL2IvQw"} {
		err := model.View(viewerOf("xiaomi"), func(view *projections.View) error {
			_, _, err := view.Milestones(projections.MilestoneQuery{Limit: 2, Cursor: bad})
			return err
		})
		require.ErrorIs(t, err, projections.ErrCursor, bad)
	}
	due := domain.NewDate(2017, 7, 5)
	h.do("nokia", domain.EditMilestone{MilestoneRef: milestoneRef("b"), DueOn: &due})
	model.caughtUp(t)
	require.Equal(t, []domain.MilestoneID{"late", "b", "theirs", "a"}, queried(t, model, viewerOf("xiaomi"), projections.MilestoneQuery{}))
	h.do("nokia", domain.ShareMilestone{MilestoneRef: milestoneRef("secret-1")})
	model.caughtUp(t)
	require.Equal(t, []domain.MilestoneID{"late", "b", "secret-1", "theirs", "a"}, queried(t, model, viewerOf("xiaomi"), projections.MilestoneQuery{}))
}

func TestStatusCountsVisibleMilestones(t *testing.T) {
	_, model := portfolio(t)
	nokia := viewed(model, viewerOf("nokia"), (*projections.View).Status)
	require.Equal(t, 4, nokia.Counts.State[domain.Planned])
	require.Equal(t, domain.MilestoneID("secret-1"), nokia.NextDue.Milestone)
	xiaomi := viewed(model, viewerOf("xiaomi"), (*projections.View).Status)
	require.Equal(t, map[domain.MilestoneState]int{"planned": 3, "in_progress": 1, "delivered": 0, "conditionally_accepted": 0, "accepted": 0, "completed": 0, "disputed": 0, "waived": 0, "cancelled": 0}, xiaomi.Counts.State)
	require.Equal(t, map[domain.Health]int{"green": 0, "amber": 1, "red": 0}, xiaomi.Counts.Health)
	require.Equal(t, 1, xiaomi.Overdue)
	require.Equal(t, domain.MilestoneID("theirs"), xiaomi.NextDue.Milestone)
	require.Len(t, xiaomi.Projects, 1)
	require.Equal(t, xiaomi.Counts, xiaomi.Projects[0].Counts)
	none := viewed(model, projections.Viewer{Partner: "xiaomi", Scope: "other"}, (*projections.View).Status)
	require.Zero(t, none.Counts.State[domain.Planned])
	require.Empty(t, none.Projects)
}

func TestPrivateForecastIsVisibleToItsPartnerOnly(t *testing.T) {
	h, model := portfolio(t)
	h.do("nokia", domain.MoveForecast{MilestoneRef: milestoneRef("a"), On: 20170901, Private: true})
	h.do("nokia", domain.MoveForecast{MilestoneRef: milestoneRef("a"), On: 20170801})
	model.caughtUp(t)
	read := func(viewer projections.Viewer) api.Milestone {
		return viewed(model, viewer, func(view *projections.View) api.Milestone {
			m, _ := view.Milestone(milestoneRef("a"))
			return m
		})
	}
	nokia, xiaomi := read(viewerOf("nokia")), read(viewerOf("xiaomi"))
	require.EqualValues(t, 20170901, *nokia.PrivateForecast)
	require.Nil(t, xiaomi.PrivateForecast)
	require.EqualValues(t, 3, nokia.Version)
	require.EqualValues(t, 2, xiaomi.Version)
	require.Equal(t, map[domain.PartnerID]domain.Date{"nokia": 20170801}, xiaomi.Forecasts)
}

func TestRejectionStaysInTheDecisions(t *testing.T) {
	h, model := portfolio(t)
	decision := func() api.Decision {
		model.caughtUp(t)
		return viewed(model, viewerOf("nokia"), func(view *projections.View) api.Decision {
			m, _ := view.Milestone(milestoneRef("b"))
			return m.Acceptance.Decisions["xiaomi"]
		})
	}
	require.Equal(t, "none", decision().State)
	h.do("nokia", domain.DeliverMilestone{MilestoneRef: milestoneRef("b")})
	require.Equal(t, "pending", decision().State)
	h.do("xiaomi", domain.RejectMilestone{MilestoneRef: milestoneRef("b"), Reasons: []string{"too slow"}})
	require.Equal(t, "rejected", decision().State)
	require.EqualValues(t, 20170705, *decision().DecidedOn)
	h.do("nokia", domain.DeliverMilestone{MilestoneRef: milestoneRef("b")})
	require.Equal(t, "pending", decision().State)
}

func TestInbox(t *testing.T) {
	h := newFixture(t)
	h.settle()
	model := h.follow(t, h.config())
	inbox := func(partner domain.PartnerID) []api.InboxItem {
		model.caughtUp(t)
		return viewed(model, viewerOf(partner), inboxOf)
	}
	require.Empty(t, inbox("xiaomi"))

	h.do("nokia", domain.DraftAgreement{AgreementID: "next", Terms: domain.Terms{Title: "Next", Parties: []domain.PartnerID{"nokia", "xiaomi"}, EffectiveOn: 20180101}})
	drafted := h.clock.Now()
	h.do("nokia", domain.SignAgreement{AgreementID: "next", Signatory: "Chief executive"})
	require.Empty(t, inbox("nokia"))
	title := "Next again"
	h.do("xiaomi", domain.EditAgreement{AgreementID: "next", Title: &title})
	voided := h.clock.Now()
	require.Equal(t, voided, inbox("nokia")[0].Since, "since the edit that voided the signature")
	require.Equal(t, drafted, inbox("xiaomi")[0].Since, "since the draft, which it has not signed")
	require.Equal(t, "signature", inbox("xiaomi")[0].Kind)

	p := domain.ProjectRef{Agreement: agreementID, Project: projectID}
	h.do("nokia", domain.CallStage{ProjectRef: p, Move: domain.MoveStart})
	h.do("nokia", domain.CallStage{ProjectRef: p, Move: domain.MoveComplete, Reason: "all done"})
	called := h.clock.Now()
	h.plan("fp4", 20180330)
	h.do("nokia", domain.StartMilestone{MilestoneRef: milestoneRef("fp4")})
	h.do("nokia", domain.DeliverMilestone{MilestoneRef: milestoneRef("fp4")})
	delivered := h.clock.Now()
	h.do("nokia", domain.CommentMilestone{MilestoneRef: milestoneRef("fp4"), Text: "please look"})
	require.Len(t, inbox("nokia"), 1)
	items := inbox("xiaomi")
	require.Len(t, items, 3)
	require.Equal(t, []string{"signature", "stage", "acceptance"}, []string{items[0].Kind, items[1].Kind, items[2].Kind})
	require.Equal(t, called, items[1].Since)
	require.Equal(t, "Nokia proposed to complete the project: all done", items[1].Reason)
	require.Equal(t, delivered, items[2].Since)

	h.do("xiaomi", domain.AcceptMilestone{MilestoneRef: milestoneRef("fp4")})
	h.do("xiaomi", domain.CallStage{ProjectRef: p, Move: domain.MoveComplete})
	h.do("xiaomi", domain.SignAgreement{AgreementID: "next", Signatory: "Chief executive"})
	h.do("nokia", domain.SignAgreement{AgreementID: "next", Signatory: "Chief executive"})
	require.Empty(t, inbox("xiaomi"))
	require.Empty(t, inbox("nokia"))
}

func TestOperatorSeesDirectoriesOnly(t *testing.T) {
	h, model := portfolio(t)
	h.do("nokia", domain.AddMember{MemberRef: domain.MemberRef{Partner: "nokia", Member: "anna"}, Role: domain.Manager})
	model.caughtUp(t)
	require.NoError(t, model.View(projections.Viewer{Operator: true}, func(view *projections.View) error {
		require.Len(t, view.Partners(), 2)
		require.Len(t, view.Members("nokia"), 1)
		require.False(t, view.AgreementVisible(agreementID))
		require.False(t, view.MilestoneVisible(milestoneRef("a")))
		require.Empty(t, view.Agreements())
		return nil
	}))
	require.NoError(t, model.View(viewerOf("xiaomi"), func(view *projections.View) error {
		require.True(t, view.PartnerVisible("nokia"))
		require.Empty(t, view.Members("nokia"))
		_, ok := view.Member("nokia", "anna")
		require.False(t, ok)
		return nil
	}))
}

func TestAgreementEndsAfterItsLastDay(t *testing.T) {
	h := newFixture(t)
	for _, s := range openingSteps() {
		h.do(s.who, s.command)
	}
	model := h.follow(t, h.config())
	state := func() domain.AgreementState {
		return viewed(model, viewerOf("nokia"), func(view *projections.View) domain.AgreementState {
			a, _ := view.Agreement("a0")
			return a.State
		})
	}
	h.clock.set(time.Date(2017, 7, 6, 23, 59, 0, 0, time.UTC))
	require.Equal(t, domain.AgreementStateActive, state())
	h.clock.set(time.Date(2017, 7, 7, 0, 0, 0, 0, time.UTC))
	require.Equal(t, domain.AgreementStateExpired, state())
}

func TestProjectIsVisibleToItsParticipantsOnly(t *testing.T) {
	h := newFixture(t)
	h.research()
	h.serve("draft", false)
	model := h.follow(t, h.config())
	for partner, want := range map[domain.PartnerID]bool{"nokia": true, "xiaomi": true, "sony": false} {
		t.Run(string(partner), func(t *testing.T) {
			require.NoError(t, model.View(viewerOf(partner), func(view *projections.View) error {
				require.True(t, view.AgreementVisible(agreementID))
				require.Equal(t, want, view.ProjectVisible(agreementID, projectID))
				_, visible := view.Project(agreementID, projectID)
				require.Equal(t, want, visible)
				require.Equal(t, want, len(view.Projects(agreementID)) == 1)
				require.Equal(t, want, view.MilestoneVisible(milestoneRef("draft")))
				return nil
			}))
		})
	}
}

func TestTokensOfOtherAgreementsAreInvisibleWithinAScope(t *testing.T) {
	h := newFixture(t)
	h.settle()
	h.issue("nokia", domain.IssueToken{TokenRef: domain.TokenRef{Token: "all"}, Role: domain.Viewer})
	h.issue("nokia", domain.IssueToken{TokenRef: domain.TokenRef{Token: "both"}, Role: domain.Viewer, Agreements: []domain.AgreementID{"a", "b"}})
	h.issue("nokia", domain.IssueToken{TokenRef: domain.TokenRef{Token: "first"}, Role: domain.Viewer, Agreements: []domain.AgreementID{"a"}})
	model := h.follow(t, h.config())
	for scope, want := range map[string][]domain.TokenID{"": {"all", "both", "first"}, "a": {"all", "first"}, "a,b": {"all", "both", "first"}} {
		t.Run("scope "+scope, func(t *testing.T) {
			tokens := viewed(model, projections.Viewer{Partner: "nokia", Scope: scope}, func(view *projections.View) (ids []domain.TokenID) {
				for _, token := range view.Tokens("nokia") {
					ids = append(ids, token.ID)
				}
				return ids
			})
			require.Equal(t, want, tokens)
		})
	}
}

// A finished milestone has no health and no disagreement, and the status does not count its health.
func TestFinalMilestonesHaveNoHealth(t *testing.T) {
	h, model := portfolio(t)
	red := domain.Red
	h.do("nokia", domain.ReportProgress{MilestoneRef: milestoneRef("b"), Percent: new(40), Health: &red})
	h.do("xiaomi", domain.ReportProgress{MilestoneRef: milestoneRef("b"), Health: &red, Private: true})
	h.do("nokia", domain.MoveForecast{MilestoneRef: milestoneRef("b"), On: 20170801})
	h.do("xiaomi", domain.MoveForecast{MilestoneRef: milestoneRef("b"), On: 20180801})
	milestone := model.milestone(t, "xiaomi")
	require.Equal(t, red, *milestone.Health)
	require.Equal(t, red, *milestone.PrivateHealth)
	require.True(t, milestone.Disagreement)

	h.do("nokia", domain.DeliverMilestone{MilestoneRef: milestoneRef("b")})
	require.Equal(t, 40, model.milestone(t, "xiaomi").Progress)
	h.do("xiaomi", domain.AcceptMilestone{MilestoneRef: milestoneRef("b")})
	milestone = model.milestone(t, "xiaomi")
	require.Nil(t, milestone.Health)
	require.Nil(t, milestone.PrivateHealth)
	require.False(t, milestone.Disagreement)
	require.Equal(t, 100, milestone.Progress)
	status := viewed(model, viewerOf("xiaomi"), (*projections.View).Status)
	require.Equal(t, map[domain.Health]int{"green": 0, "amber": 0, "red": 0}, status.Counts.Health)
	require.Equal(t, status.Counts, status.Projects[0].Counts)
	require.Empty(t, queried(t, model, viewerOf("xiaomi"), projections.MilestoneQuery{Health: red}))
}
