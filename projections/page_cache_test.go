package projections_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/projections"
)

// page returns the page of 50 milestones.
func (i *runningModel) page(t *testing.T, viewer projections.Viewer) *projections.Page {
	t.Helper()
	page, err := i.Page(viewer, "all", pageOf50)
	require.NoError(t, err)
	return page
}

func TestPageIsCachedUntilAVisibleChange(t *testing.T) {
	h := newFixture(t)
	h.settle()
	h.plan("fp4", domain.NewDate(2018, 3, 30))
	model := h.follow(t, h.config())
	first := model.page(t, viewerOf("xiaomi"))
	require.Same(t, first, model.page(t, viewerOf("xiaomi")))
	require.Equal(t, []string{first.ETag}, first.ETagHeader)
	require.Equal(t, []string{fmt.Sprint(len(first.Body))}, first.LengthHeader)

	own := model.page(t, viewerOf("nokia"))
	h.do("nokia", domain.PlanMilestone{MilestoneRef: milestoneRef("secret-1"), Plan: domain.Plan{Title: "Secret", Owner: "nokia", DueOn: 20180101}, Private: true})
	h.do("nokia", domain.CommentMilestone{MilestoneRef: milestoneRef("fp4"), Text: "a private comment", Private: true})
	h.do("nokia", domain.AddMember{MemberRef: domain.MemberRef{Partner: "nokia", Member: "anna"}, Role: domain.Manager})
	h.do("nokia", domain.EditPartner{PartnerID: "nokia", Holidays: &[]domain.Date{20171206}})
	model.caughtUp(t)
	require.Same(t, first, model.page(t, viewerOf("xiaomi")))
	require.NotEqual(t, own.ETag, model.page(t, viewerOf("nokia")).ETag)

	h.do("nokia", domain.StartMilestone{MilestoneRef: milestoneRef("fp4")})
	model.caughtUp(t)
	second := model.page(t, viewerOf("xiaomi"))
	require.NotEqual(t, first.ETag, second.ETag)
	require.Equal(t, first.Version+1, second.Version)
	require.NotEqual(t, first.Position, second.Position)
}

func TestProfileOfACounterpartyIsAVisibleChange(t *testing.T) {
	h := newFixture(t)
	h.settle()
	model := h.follow(t, h.config())
	first := model.page(t, viewerOf("xiaomi"))
	zone := "Europe/Paris"
	h.do("nokia", domain.EditPartner{PartnerID: "nokia", TimeZone: &zone})
	model.caughtUp(t)
	require.NotSame(t, first, model.page(t, viewerOf("xiaomi")))
}

func TestPageExpiresAtMidnightInTheOwnersZone(t *testing.T) {
	h := newFixture(t)
	h.settle()
	h.plan("fp4", domain.NewDate(2017, 7, 5))
	model := h.follow(t, h.config())
	overdue := func() bool { return strings.Contains(string(model.page(t, viewerOf("xiaomi")).Body), `"overdue":true`) }
	require.False(t, overdue())
	h.clock.set(time.Date(2017, 7, 5, 16, 30, 0, 0, time.UTC)) // past midnight in Shanghai, not in Helsinki
	require.False(t, overdue())
	kept := model.page(t, viewerOf("xiaomi"))
	h.clock.set(time.Date(2017, 7, 5, 20, 59, 59, 0, time.UTC))
	require.Same(t, kept, model.page(t, viewerOf("xiaomi")))
	h.clock.set(time.Date(2017, 7, 5, 21, 0, 0, 0, time.UTC)) // midnight in Helsinki
	require.True(t, overdue())
	require.Equal(t, kept.Version, model.page(t, viewerOf("xiaomi")).Version, "the version counts events only")
}

func TestErrorsAreNotCached(t *testing.T) {
	h := newFixture(t)
	model := h.follow(t, h.config())
	broken := errors.New("broken")
	_, err := model.Page(viewerOf("nokia"), "k", func(*projections.View) (projections.Answer, error) { return projections.Answer{}, broken })
	require.ErrorIs(t, err, broken)
	page, err := model.Page(viewerOf("nokia"), "k", func(*projections.View) (projections.Answer, error) { return projections.Answer{Body: "fine"}, nil })
	require.NoError(t, err)
	require.Equal(t, `"fine"`, string(page.Body))
}

func TestPageOfAnUnknownPartnerIsNotCached(t *testing.T) {
	h := newFixture(t)
	model := h.follow(t, h.config())
	before := model.page(t, viewerOf("nokia"))
	h.settle()
	model.caughtUp(t)
	require.NotEqual(t, before.ETag, model.page(t, viewerOf("nokia")).ETag)
}

func TestCachedPageDoesNotAllocate(t *testing.T) {
	h := newFixture(t)
	h.settle()
	model := h.follow(t, h.config())
	viewer := viewerOf("xiaomi")
	model.page(t, viewer)
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = model.Page(viewer, "all", pageOf50) }))
}
