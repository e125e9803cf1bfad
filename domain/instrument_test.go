package domain

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnAgreementHasABoundedAnnex(t *testing.T) {
	i := &Instrument{ID: "i", Kind: Collaboration, Title: "I", EffectiveOn: 2017_07_05, Disclosure: Disclosed}
	for n := range mostItems {
		i.Schedule = append(i.Schedule, ScheduleItem{ID: ItemID(fmt.Sprint(n)), Title: "Lot"})
	}
	a := &Agreement{ID: "a", Terms: Terms{Parties: []PartnerID{"nokia", "xiaomi"}}}
	require.Empty(t, i.faults(a))
	i.Schedule[7].ID = "8"
	require.Equal(t, faults{{"schedule", "item 8 is there twice"}}, i.faults(a))
	i.Schedule = append(i.Schedule, ScheduleItem{ID: "x", Title: "Lot"})
	require.Len(t, i.faults(a), 1)

	a.Instruments = make([]Instrument, mostInstruments)
	var f faults
	f.instruments(a, a.Terms, AmendmentChanges{AddInstruments: []Instrument{{ID: "more"}}}, Meta{})
	require.Equal(t, "the agreement would have more than 100", f[0].Message)
}
