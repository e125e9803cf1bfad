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
