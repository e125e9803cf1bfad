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

// page returns the kept page of all that a viewer sees.
func (i *image) page(t *testing.T, v projections.Viewer) *projections.Page {
	t.Helper()
	p, err := i.Page(v, "all", pageOf50)
	require.NoError(t, err)
	return p
}

func TestAPageIsKeptUntilItsViewerSeesAChange(t *testing.T) {
	h := newHouse(t)
	h.settle()
	h.plan("fp4", domain.NewDate(2018, 3, 30))
	i := h.follow(t, h.config())
	first := i.page(t, partner("xiaomi"))
	require.Same(t, first, i.page(t, partner("xiaomi")))
	require.Equal(t, []string{first.ETag}, first.ETagHeader)
	require.Equal(t, []string{fmt.Sprint(len(first.Body))}, first.LengthHeader)

	own := i.page(t, partner("nokia"))
	h.do("nokia", domain.PlanMilestone{Ref: ref("secret-1"), Plan: domain.Plan{Title: "Secret", Owner: "nokia", DueOn: 20180101}, Private: true})
	h.do("nokia", domain.CommentMilestone{Ref: ref("fp4"), Text: "a private thought", Private: true})
	h.do("nokia", domain.AddMember{Partner: "nokia", Member: "anna", Role: domain.Manager})
	h.do("nokia", domain.EditPartner{ID: "nokia", Holidays: &[]domain.Date{20171206}})
	i.caughtUp(t)
	require.Same(t, first, i.page(t, partner("xiaomi")))
	require.NotEqual(t, own.ETag, i.page(t, partner("nokia")).ETag)

	h.do("nokia", domain.StartMilestone{Ref: ref("fp4")})
	i.caughtUp(t)
	second := i.page(t, partner("xiaomi"))
	require.NotEqual(t, first.ETag, second.ETag)
	require.Equal(t, first.Version+1, second.Version)
	require.NotEqual(t, first.Position, second.Position)
}

func TestACounterpartysFaceIsAVisibleChange(t *testing.T) {
	h := newHouse(t)
	h.settle()
	i := h.follow(t, h.config())
	first := i.page(t, partner("xiaomi"))
	zone := "Europe/Paris"
	h.do("nokia", domain.EditPartner{ID: "nokia", TimeZone: &zone})
	i.caughtUp(t)
	require.NotSame(t, first, i.page(t, partner("xiaomi")))
}

func TestAPageEndsAtMidnightInTheOwnersZone(t *testing.T) {
	h := newHouse(t)
	h.settle()
	h.plan("fp4", domain.NewDate(2017, 7, 5))
	i := h.follow(t, h.config())
	overdue := func() bool { return strings.Contains(string(i.page(t, partner("xiaomi")).Body), `"overdue":true`) }
	require.False(t, overdue())
	h.clock.set(time.Date(2017, 7, 5, 16, 30, 0, 0, time.UTC)) // past midnight in Shanghai, not in Helsinki
	require.False(t, overdue())
	kept := i.page(t, partner("xiaomi"))
	h.clock.set(time.Date(2017, 7, 5, 20, 59, 59, 0, time.UTC))
	require.Same(t, kept, i.page(t, partner("xiaomi")))
	h.clock.set(time.Date(2017, 7, 5, 21, 0, 0, 0, time.UTC)) // midnight in Helsinki
	require.True(t, overdue())
	require.Equal(t, kept.Version, i.page(t, partner("xiaomi")).Version, "a new day is no event")
}

func TestErrorsAreNotKept(t *testing.T) {
	h := newHouse(t)
	i := h.follow(t, h.config())
	broken := errors.New("broken")
	_, err := i.Page(partner("nokia"), "k", func(*projections.View) (projections.Answer, error) { return projections.Answer{}, broken })
	require.ErrorIs(t, err, broken)
	p, err := i.Page(partner("nokia"), "k", func(*projections.View) (projections.Answer, error) { return projections.Answer{Body: "fine"}, nil })
	require.NoError(t, err)
	require.Equal(t, `"fine"`, string(p.Body))
}

func TestAStrangersPageGrowsWithIt(t *testing.T) {
	h := newHouse(t)
	i := h.follow(t, h.config())
	before := i.page(t, partner("nokia"))
	h.settle()
	i.caughtUp(t)
	require.NotEqual(t, before.ETag, i.page(t, partner("nokia")).ETag)
}

func TestAHitAllocatesNothing(t *testing.T) {
	h := newHouse(t)
	h.settle()
	i := h.follow(t, h.config())
	v := partner("xiaomi")
	i.page(t, v)
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = i.Page(v, "all", pageOf50) }))
}
