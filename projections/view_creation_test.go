package projections_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
)

// TestCreation: each reader sees the first event that it may see, and the sharing of a milestone in place of its private
// planning.
func TestCreation(t *testing.T) {
	h := newFixture(t)
	h.settle()
	h.addMember("anna", "Anna Virtanen")
	model := h.follow(t, h.config())
	h.plan("fp4", domain.NewDate(2018, 3, 30))
	planned := h.clock.Now()
	h.do("nokia", domain.PlanMilestone{MilestoneRef: milestoneRef("secret-1"), Plan: domain.Plan{Title: "Secret", Owner: "nokia", DueOn: 20180330}, Private: true})
	secret := h.clock.Now()
	h.do("nokia", domain.ShareMilestone{MilestoneRef: milestoneRef("secret-1")})
	shared := h.clock.Now()
	model.caughtUp(t)
	creation := func(reader domain.PartnerID, id domain.MilestoneID) (creation api.Creation) {
		require.NoError(t, model.View(viewerOf(reader), func(view *projections.View) error {
			milestone, ok := view.Milestone(milestoneRef(id))
			require.True(t, ok)
			creation = milestone.Creation
			return nil
		}))
		return creation
	}
	anna := func(at time.Time) api.Creation {
		return api.Creation{CreatedAt: &at, CreatedBy: &api.Author{Partner: "nokia", Member: "anna", MemberName: new("Anna Virtanen")}}
	}
	require.Equal(t, anna(planned), creation("xiaomi", "fp4"))
	require.Equal(t, anna(secret), creation("nokia", "secret-1"))
	require.Equal(t, anna(shared), creation("xiaomi", "secret-1"))
	h.actor = domain.Actor{}
	h.removeMember("anna")
	model.caughtUp(t)
	require.Equal(t, "former member", *creation("xiaomi", "fp4").CreatedBy.MemberName)
}
