package projections_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
)

func (i *runningModel) dates(t *testing.T, partner domain.PartnerID, m domain.MilestoneID) api.Dates {
	i.caughtUp(t)
	return viewed(i, viewerOf(partner), func(view *projections.View) api.Dates {
		dates, ok := view.Dates(milestoneRef(m))
		require.True(t, ok)
		return dates
	})
}

func TestDatesSideBySide(t *testing.T) {
	h := newFixture(t)
	h.settle()
	model := h.follow(t, h.config())
	march, april, may := domain.Date(2018_03_30), domain.Date(2018_04_30), domain.Date(2018_05_31)
	h.plan("fp4", march)
	planned := h.clock.Now()
	h.do("nokia", domain.EditMilestone{MilestoneRef: milestoneRef("fp4"), DueOn: &april})
	edited := h.clock.Now()
	h.do("nokia", domain.EditMilestone{MilestoneRef: milestoneRef("fp4"), Title: new("FP4")})
	h.do("nokia", domain.StartMilestone{MilestoneRef: milestoneRef("fp4")})
	h.do("nokia", domain.MoveForecast{MilestoneRef: milestoneRef("fp4"), On: march})
	h.do("xiaomi", domain.MoveForecast{MilestoneRef: milestoneRef("fp4"), On: may, Private: true})
	secret := h.clock.Now()
	h.do("nokia", domain.MoveForecast{MilestoneRef: milestoneRef("fp4"), On: may, Reason: "optics late"})
	h.do("nokia", domain.ProposeChange{ProjectRef: milestoneRef("fp4").ProjectRef(), Reason: "our plan", Milestones: []domain.WantedChange{{Milestone: "fp4"}}})
	h.do("xiaomi", domain.ApproveChange{ChangeRef: domain.ChangeRef{ProjectRef: milestoneRef("fp4").ProjectRef(), Number: 1}})
	agreed := h.clock.Now()
	h.do("nokia", domain.ProposeChange{ProjectRef: milestoneRef("fp4").ProjectRef(), Reason: "optics late", Milestones: []domain.WantedChange{
		{Milestone: "fp4", To: domain.ChangeFields{DueOn: may}},
	}})
	proposed := h.clock.Now()
	h.do("nokia", domain.DeliverMilestone{MilestoneRef: milestoneRef("fp4")})
	h.do("nokia", domain.WithdrawDelivery{MilestoneRef: milestoneRef("fp4")})
	h.do("nokia", domain.DeliverMilestone{MilestoneRef: milestoneRef("fp4")})
	h.do("xiaomi", domain.RejectMilestone{MilestoneRef: milestoneRef("fp4"), Reasons: []string{"too slow", "too hot"}})

	dates := model.dates(t, "xiaomi", "fp4")
	require.Equal(t, []api.PlannedDate{{On: march, At: planned}, {On: april, From: &march, At: edited}}, dates.Planned)
	require.Equal(t, []api.AgreedDate{{On: april, Change: 1, Reason: "our plan", AgreedAt: agreed}}, dates.Agreed)
	require.Equal(t, []api.ProposedDate{{Change: 2, By: "nokia", DueOn: may, Reason: "optics late", ProposedAt: proposed}}, dates.Proposed)
	require.Len(t, dates.Forecasts, 3)
	require.Equal(t, api.ForecastDate{Partner: "xiaomi", On: may, At: secret, Private: true}, dates.Forecasts[1])
	require.Equal(t, "optics late", dates.Forecasts[2].Reason)
	require.Equal(t, march, *dates.Forecasts[2].From)
	require.Len(t, dates.Actual, 2)
	require.True(t, dates.Actual[0].Withdrawn)
	require.Equal(t, []string{"too slow", "too hot"}, dates.Actual[1].Reasons)
	require.Nil(t, dates.Actual[1].AcceptedOn)
	require.Len(t, model.dates(t, "nokia", "fp4").Forecasts, 2, "what is private to xiaomi is not there")

	h.do("xiaomi", domain.ApproveChange{ChangeRef: domain.ChangeRef{ProjectRef: milestoneRef("fp4").ProjectRef(), Number: 2}})
	h.do("nokia", domain.DeliverMilestone{MilestoneRef: milestoneRef("fp4")})
	h.do("xiaomi", domain.AcceptMilestone{MilestoneRef: milestoneRef("fp4")})
	dates = model.dates(t, "nokia", "fp4")
	require.Empty(t, dates.Proposed)
	require.Equal(t, april, *dates.Agreed[1].From)
	require.Equal(t, "optics late", dates.Agreed[1].Reason)
	require.Equal(t, domain.DateOf(h.clock.Now()), *dates.Actual[2].AcceptedOn)
	require.Equal(t, 3, dates.Actual[2].Round)
}

// TestDatesOfASharedPrivateMilestone (R17): a participant sees the dates from the sharing on; the owner sees no
// date twice.
func TestDatesOfASharedPrivateMilestone(t *testing.T) {
	h := newFixture(t)
	h.settle()
	model := h.follow(t, h.config())
	march, april := domain.Date(2018_03_30), domain.Date(2018_04_30)
	h.do("nokia", domain.PlanMilestone{MilestoneRef: milestoneRef("s"), Private: true, Plan: domain.Plan{Title: "S", Owner: "nokia", DueOn: march}})
	h.do("nokia", domain.EditMilestone{MilestoneRef: milestoneRef("s"), DueOn: &april})
	h.do("nokia", domain.MoveForecast{MilestoneRef: milestoneRef("s"), On: march})
	h.do("nokia", domain.MoveForecast{MilestoneRef: milestoneRef("s"), On: april, Reason: "optics late"})
	h.do("nokia", domain.ShareMilestone{MilestoneRef: milestoneRef("s")})
	shared := h.clock.Now()
	own, other := model.dates(t, "nokia", "s"), model.dates(t, "xiaomi", "s")
	require.Len(t, own.Planned, 2)
	require.Len(t, own.Forecasts, 2)
	require.Equal(t, []api.PlannedDate{{On: april, At: shared}}, other.Planned)
	require.Equal(t, []api.ForecastDate{{Partner: "nokia", On: april, Reason: "optics late", At: shared}}, other.Forecasts)
}

func TestDatesAreBounded(t *testing.T) {
	h := newFixture(t)
	h.settle()
	h.plan("fp4", 2018_03_30)
	for n := range 130 {
		h.do("nokia", domain.MoveForecast{MilestoneRef: milestoneRef("fp4"), On: domain.Date(2018_03_30).AddDays(n), Reason: fmt.Sprint("move ", n)})
	}
	model := h.follow(t, h.config())
	dates := model.dates(t, "xiaomi", "fp4")
	require.Len(t, dates.Forecasts, 100)
	require.Equal(t, "move 129", dates.Forecasts[99].Reason)
	require.Equal(t, 30, dates.Omitted)
	require.WithinDuration(t, h.clock.Now(), dates.Forecasts[99].At, time.Second)
	trend := viewed(model, viewerOf("xiaomi"), func(view *projections.View) []api.Dates {
		at := milestoneRef("fp4")
		list, next, err := view.Trend(projections.MilestoneQuery{Agreement: at.Agreement, Project: at.Project, Limit: 10})
		require.NoError(t, err)
		require.Nil(t, next)
		return list
	})
	require.Equal(t, []api.Dates{dates}, trend)
}
