package projections_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
)

// research creates an agreement of three partners with one instrument, and a project of two of them.
func (h *fixture) research() {
	for _, partner := range partnerIDs() {
		h.do("", domain.CreatePartner{PartnerID: partner, Profile: domain.PartnerProfile{Name: string(partner), Country: "FI", TimeZone: "UTC"}})
	}
	h.do("nokia", domain.DraftAgreement{AgreementID: agreementID, Terms: domain.Terms{Title: "Trio", Parties: partnerIDs(), EffectiveOn: 20170705}})
	h.do("nokia", domain.AddInstrument{AgreementID: agreementID, Instrument: domain.Instrument{
		ID: "research", Kind: domain.JointDevelopment, Title: "Research", EffectiveOn: 20170705, Disclosure: domain.Undisclosed,
		Schedule:    []domain.ScheduleItem{{ID: "study", Title: "Study"}},
		Obligations: []domain.Obligation{{Clause: "4.2", Text: "Write the study.", Partner: "nokia"}},
	}})
	for _, partner := range partnerIDs() {
		h.do(partner, domain.SignAgreement{AgreementID: agreementID, Signatory: "Chief executive"})
	}
	h.do("nokia", domain.CreateProject{
		ProjectRef: domain.ProjectRef{Agreement: agreementID, Project: projectID}, Title: "Research", Stage: domain.Committed, Lead: "nokia",
		Participants: []domain.PartnerID{"nokia", "xiaomi"},
	})
	h.do("xiaomi", domain.CallStage{ProjectRef: domain.ProjectRef{Agreement: agreementID, Project: projectID}, Move: domain.MoveCommit})
}

func (h *fixture) serve(m domain.MilestoneID, private bool) {
	h.do("nokia", domain.PlanMilestone{MilestoneRef: milestoneRef(m), Private: private, Plan: domain.Plan{
		Title: string(m), Owner: "nokia", DueOn: 20171201, Instrument: "research", ScheduleItem: "study", Clause: "4.2",
	}})
}

func (h *fixture) accept(m domain.MilestoneID) {
	h.do("nokia", domain.StartMilestone{MilestoneRef: milestoneRef(m)})
	h.do("nokia", domain.DeliverMilestone{MilestoneRef: milestoneRef(m)})
	h.do("xiaomi", domain.AcceptMilestone{MilestoneRef: milestoneRef(m)})
}

// served returns the only item and obligation of the instrument as a partner sees them.
func (i *runningModel) served(t *testing.T, partner domain.PartnerID) (item api.ScheduleItem, owed api.Obligation) {
	t.Helper()
	i.caughtUp(t)
	require.NoError(t, i.View(viewerOf(partner), func(view *projections.View) error {
		x, ok := view.Instrument(agreementID, "research")
		require.True(t, ok)
		item, owed = x.Schedule[0], x.Obligations[0]
		return nil
	}))
	return item, owed
}

// TestMilestonesServingAnInstrument (R16): a partner sees, for an item and a clause, the milestones that are
// visible to it; the states derive from those.
func TestMilestonesServingAnInstrument(t *testing.T) {
	h := newFixture(t)
	model := h.follow(t, h.config())
	h.research()
	h.serve("draft", false)
	h.serve("secret", true)

	draft := api.ServingMilestone{Project: projectID, Milestone: "draft", State: domain.Planned}
	secret := api.ServingMilestone{Project: projectID, Milestone: "secret", State: domain.Planned}
	for partner, want := range map[domain.PartnerID][]api.ServingMilestone{"nokia": {draft, secret}, "xiaomi": {draft}, "sony": {}} {
		item, owed := model.served(t, partner)
		require.Equal(t, want, item.Milestones, partner)
		require.Equal(t, want, owed.Milestones, partner)
		require.Equal(t, domain.ItemPlanned, item.State)
		require.Equal(t, "open", owed.State)
	}

	h.accept("draft")
	for partner, want := range map[domain.PartnerID]string{"nokia": "fulfilled", "xiaomi": "fulfilled", "sony": "open"} {
		item, owed := model.served(t, partner)
		require.Equal(t, want, owed.State, partner)
		require.Equal(t, domain.ItemPlanned, item.State, "an item moves when somebody says so")
	}
	h.do("xiaomi", domain.MoveItem{AgreementID: agreementID, Instrument: "research", Item: "study", State: domain.ItemDelivered})
	item, _ := model.served(t, "sony")
	require.Equal(t, domain.ItemDelivered, item.State)

	h.serve("annex", false)
	h.do("nokia", domain.EditMilestone{MilestoneRef: milestoneRef("annex"), ScheduleItem: new(domain.ItemID(""))})
	item, owed := model.served(t, "xiaomi")
	require.Len(t, item.Milestones, 1)
	require.Len(t, owed.Milestones, 2)
	require.Equal(t, "open", owed.State, "what was fulfilled is open again while more is planned for it")
	h.do("nokia", domain.EditMilestone{MilestoneRef: milestoneRef("annex"), Instrument: new(domain.InstrumentID("")), Clause: new("")})
	_, owed = model.served(t, "xiaomi")
	require.Equal(t, "fulfilled", owed.State)
}

// TestInstrumentPages: the cached page of an instrument changes only for partners that see the change.
func TestInstrumentPages(t *testing.T) {
	h := newFixture(t)
	model := h.follow(t, h.config())
	h.research()
	h.serve("draft", false)
	etag := func(partner domain.PartnerID) string {
		model.caughtUp(t)
		page, err := model.Page(viewerOf(partner), "instrument", func(view *projections.View) (projections.Answer, error) {
			x, _ := view.Instrument(agreementID, "research")
			a, _ := view.Agreement(agreementID)
			return projections.Answer{Version: a.Version, Body: x, Agreement: agreementID}, nil
		})
		require.NoError(t, err)
		return page.ETag
	}
	nokia, xiaomi, sony := etag("nokia"), etag("xiaomi"), etag("sony")
	h.do("nokia", domain.StartMilestone{MilestoneRef: milestoneRef("draft")})
	require.NotEqual(t, nokia, etag("nokia"))
	require.NotEqual(t, xiaomi, etag("xiaomi"))
	require.Equal(t, sony, etag("sony"))
	xiaomi = etag("xiaomi")
	h.serve("secret", true)
	require.Equal(t, xiaomi, etag("xiaomi"))
}
