package domain

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInstrumentLimits(t *testing.T) {
	instrument := &Instrument{ID: "i", Kind: Collaboration, Title: "I", EffectiveOn: 2017_07_05, Disclosure: Disclosed}
	for n := range maxScheduleItems {
		instrument.Schedule = append(instrument.Schedule, ScheduleItem{ID: ItemID(fmt.Sprint(n)), Title: "Lot"})
	}
	agreement := &Agreement{ID: "a", Terms: Terms{Parties: []PartnerID{"nokia", "xiaomi"}}}
	require.Empty(t, instrument.validate(agreement))
	instrument.Schedule[7].ID = "8"
	require.Equal(t, validation{NewFieldError("schedule", "item %s is listed twice; list it once", ItemID("8"))}, instrument.validate(agreement))
	instrument.Schedule = append(instrument.Schedule, ScheduleItem{ID: "x", Title: "Lot"})
	require.Len(t, instrument.validate(agreement), 1)

	agreement.Instruments = make([]Instrument, maxInstruments)
	var check validation
	check.instrumentChanges(agreement, agreement.Terms, AmendmentChanges{AddInstruments: []Instrument{{ID: "more"}}}, DecisionContext{})
	require.Equal(t, "the agreement would have more than 100 instruments", check[0].Message)
}

// Histories of earlier versions have milestones whose owner cannot serve what they name. They replay, and do not count.
func TestMilestoneOfTheWrongOwnerDoesNotServe(t *testing.T) {
	s := &scenario{t: t, ledger: newLedger(t), today: NewDate(2018, 1, 8)}
	s.given("a draft agreement pact between nokia and xiaomi")
	s.must("nokia", `add-instrument supply kind=supply roles=supplier:nokia roles=customer:xiaomi schedule="lot First lot"`)
	s.must("nokia", "sign pact")
	s.must("xiaomi", "sign pact")
	s.given("an active project p of nokia and xiaomi")
	s.given("an accepted milestone p/ours of xiaomi with instrument=supply")
	dc := s.meta("xiaomi")
	milestone := s.ledger.plain.Milestone(s.milestone("p/ours"))
	to := milestone.Plan
	to.ScheduleItem = "lot"
	s.ledger.record(milestone.Ref.ProjectRef().Stream(), dc, sharedEvents("ours", MilestoneEdited{To: to, From: milestone.Plan}))

	move := MoveItem{AgreementID: "pact", Instrument: "supply", Item: "lot", State: ItemDelivered}
	_, refusal := s.ledger.do(move, s.meta("nokia"))
	require.Equal(t, "item_not_carried", refusal.Code)
	s.given("an accepted milestone p/lot of nokia with instrument=supply schedule_item=lot")
	_, refusal = s.ledger.do(move, s.meta("nokia"))
	require.Nil(t, refusal)
}
