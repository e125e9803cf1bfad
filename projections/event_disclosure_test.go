package projections_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/projections"
	eventfeed "tandem/projections/feed"
)

// R5: webhooks and feeds show no content of an undisclosed instrument to a partner without a role, live and after a restart. A
// delivery of an item is neither shown nor counted; one of an earlier version is counted and shown without content.
func TestEventsOfAnInstrumentWithoutARole(t *testing.T) {
	h := newFixture(t)
	h.supply()
	h.accept("relay")
	move := domain.MoveItem{AgreementID: agreementID, Instrument: "secret-works", Item: "secret-lot", State: domain.ItemDelivered, Quantity: 4}
	h.do("nokia", move)
	h.do("nokia", domain.EditMilestone{MilestoneRef: milestoneRef("spare"), Instrument: new(domain.InstrumentID("")), ScheduleItem: new(domain.ItemID("")), Clause: new("")})

	before := map[domain.PartnerID]int{"nokia": 1, "xiaomi": 1, "sony": 0}
	for range 2 {
		model := h.follow(t, h.config())
		model.caughtUp(t)
		for partner, moves := range before {
			lines := renderAll(t, model.ReadModel, partner, &eventfeed.Cursor{}, false)
			all := strings.Join(lines, "\n")
			require.Equal(t, partner != "sony", strings.Contains(all, "secret"), "%s: %s", partner, all)
			require.Equal(t, moves, strings.Count(all, `"type":"instrument.item_moved"`), partner)
			version := viewed(model, viewerOf(partner), func(view *projections.View) uint64 {
				agreement, _ := view.Agreement(agreementID)
				return agreement.Version
			})
			require.Equal(t, uint64(7+moves), version, partner)
		}
		require.NoError(t, model.stop())
	}

	header := domain.Stream{Agreement: agreementID}
	old := domain.Event{Subject: "secret-works", Audience: domain.Shared, Payload: domain.ItemMoved{
		Item: "secret-lot", Title: "Secret lot", To: domain.ItemDelivered, From: domain.ItemPlanned,
	}}
	h.append(h.store(domain.Actor{Partner: "nokia", Member: "m", Role: domain.Manager}, header, h.clock.Now(), []domain.Event{old}))
	model := h.follow(t, h.config())
	model.caughtUp(t)
	lines := renderAll(t, model.ReadModel, "sony", &eventfeed.Cursor{}, false)
	last := lines[len(lines)-1]
	require.NotContains(t, last, "ecret")
	require.Contains(t, last, `"type":"instrument.item_moved"`)
	require.Contains(t, last, `"data":{}`)
}

// supply creates an agreement of three partners with an undisclosed supply of two, which the milestones of a project of all
// three name.
func (h *fixture) supply() {
	for _, partner := range partnerIDs() {
		h.do("", domain.CreatePartner{PartnerID: partner, Profile: domain.PartnerProfile{Name: string(partner), Country: "FI", TimeZone: "UTC"}})
	}
	h.do("nokia", domain.DraftAgreement{AgreementID: agreementID, Terms: domain.Terms{Title: "Trio", Parties: partnerIDs(), EffectiveOn: 20170705}})
	h.do("nokia", domain.AddInstrument{AgreementID: agreementID, Instrument: domain.Instrument{
		ID: "secret-works", Kind: domain.Supply, Title: "Secret works", EffectiveOn: 20170705, Disclosure: domain.Undisclosed,
		Roles:       map[domain.RoleName][]domain.PartnerID{domain.Supplier: {"nokia"}, domain.Customer: {"xiaomi"}},
		Schedule:    []domain.ScheduleItem{{ID: "secret-lot", Title: "Secret lot", Quantity: 40, Unit: "secrets"}},
		Obligations: []domain.Obligation{{Clause: "secret-4", Text: "Keep the secret.", Partner: "nokia"}},
	}})
	for _, partner := range partnerIDs() {
		h.do(partner, domain.SignAgreement{AgreementID: agreementID, Signatory: "Chief executive"})
	}
	h.do("nokia", domain.ProposeAmendment{AgreementID: agreementID, Title: "End", Changes: domain.AmendmentChanges{
		EndInstruments: []domain.InstrumentEnd{{ID: "secret-works", ExpiresOn: 20200705}},
	}})
	for _, partner := range partnerIDs() {
		h.do(partner, domain.SignAmendment{AmendmentRef: domain.AmendmentRef{Agreement: agreementID, Number: 1}, Signatory: "Chief executive"})
	}
	project := domain.ProjectRef{Agreement: agreementID, Project: projectID}
	h.do("nokia", domain.CreateProject{
		ProjectRef: project, Title: "Work", Stage: domain.Committed, Lead: "nokia", Participants: []domain.PartnerID{"nokia", "xiaomi", "sony"},
		Instrument: "secret-works",
	})
	for _, partner := range []domain.PartnerID{"xiaomi", "sony"} {
		h.do(partner, domain.CallStage{ProjectRef: project, Move: domain.MoveCommit})
	}
	for _, milestone := range []domain.MilestoneID{"relay", "spare"} {
		h.do("nokia", domain.PlanMilestone{MilestoneRef: milestoneRef(milestone), Plan: domain.Plan{
			Title: string(milestone), Owner: "nokia", Acceptors: []domain.PartnerID{"xiaomi"}, DueOn: 20171201,
			Instrument: "secret-works", ScheduleItem: "secret-lot", Clause: "secret-4",
		}})
	}
}
