package domain

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// R5: a payload that carries an instrument, or refers to a part of one, is reduced for readers without a role.
func TestPayloadsThatNameInstrumentsAreReduced(t *testing.T) {
	for _, stored := range EventTypes() {
		payload := reflect.Zero(payloads[stored].goType).Interface().(Payload)
		_, reduces := payload.(instrumentPayload)
		require.Equal(t, namesInstrument(reflect.TypeOf(payload)) || stored == "instrument.noted.v1", reduces, stored)
	}
}

// namesInstrument reports whether the type contains an instrument, or the id of an instrument or of an item.
func namesInstrument(typ reflect.Type) bool {
	switch typ {
	case reflect.TypeFor[Instrument](), reflect.TypeFor[InstrumentID](), reflect.TypeFor[ItemID]():
		return true
	}
	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice:
		return namesInstrument(typ.Elem())
	case reflect.Struct:
		for i := range typ.NumField() {
			if namesInstrument(typ.Field(i).Type) {
				return true
			}
		}
	}
	return false
}

// A reduced event keeps only the kind of an undisclosed instrument, and the summary of a disclosed one.
func TestDisclosedEvent(t *testing.T) {
	supply := Instrument{
		ID: "mi-home", Kind: Supply, Title: "Mi Home", EffectiveOn: 2017_07_05, Disclosure: Undisclosed,
		Roles:       map[RoleName][]PartnerID{Supplier: {"nokia"}, Customer: {"xiaomi"}},
		Schedule:    []ScheduleItem{{ID: "lot", Title: "Lot"}},
		Obligations: []Obligation{{"4.2", "Deliver.", "nokia"}},
	}
	agreement := &Agreement{Terms: Terms{Parties: []PartnerID{"nokia", "xiaomi", "zte"}}, Instruments: []Instrument{supply}}
	plan := Plan{Title: "M", Owner: "nokia", Instrument: "mi-home", ScheduleItem: "lot", Clause: "4.2"}
	bare := Plan{Title: "M", Owner: "nokia"}
	disclosed := supply
	disclosed.Disclosure = Disclosed
	for _, c := range []struct{ whole, reduced Payload }{
		{InstrumentAdded{Instrument: supply}, InstrumentAdded{Instrument: Instrument{Kind: Supply, Disclosure: Undisclosed}}},
		{InstrumentAdded{Instrument: disclosed}, InstrumentAdded{Instrument: Instrument{
			ID: "mi-home", Kind: Supply, Title: "Mi Home", Roles: supply.Roles, Disclosure: Disclosed,
		}}},
		{InstrumentNoted{Title: "Mi Home", To: "folder 7"}, InstrumentNoted{To: "folder 7"}},
		{ItemMoved{Item: "lot", Title: "Lot", To: ItemDelivered, From: ItemPlanned}, ItemMoved{}},
		{MilestonePlanned{Plan: plan}, MilestonePlanned{Plan: bare}},
		{MilestoneEdited{To: plan, From: bare}, MilestoneEdited{To: bare, From: bare}},
		{MilestoneShared{Plan: plan}, MilestoneShared{Plan: bare}},
		{ProjectCreated{Title: "P", Instrument: "mi-home"}, ProjectCreated{Title: "P"}},
		{ProjectEdited{To: ProjectFields{Title: "P", Instrument: "mi-home"}}, ProjectEdited{To: ProjectFields{Title: "P"}}},
		{AmendmentVoided{1, AmendmentGround{"instrument", "mi-home"}}, AmendmentVoided{1, AmendmentGround{Field: "instrument"}}},
		{
			AgreementAmended{Ended: []InstrumentEnd{{ID: "mi-home", ExpiresOn: 2018_07_04, From: 0, Kind: Supply, Title: "Mi Home"}}, To: agreement.Terms, Added: []Instrument{supply}},
			AgreementAmended{Ended: []InstrumentEnd{{Kind: Supply}}, To: agreement.Terms, Added: []Instrument{{Kind: Supply, Disclosure: Undisclosed}}},
		},
		{MilestoneStarted{}, MilestoneStarted{}},
	} {
		shown, reduced := agreement.DisclosedEvent(c.whole, "mi-home", "xiaomi")
		require.False(t, reduced)
		require.Equal(t, c.whole, shown)
		shown, reduced = agreement.DisclosedEvent(c.whole, "mi-home", "zte")
		require.Equal(t, c.reduced, shown)
		require.Equal(t, !reflect.DeepEqual(c.whole, c.reduced), reduced)
	}
}

// The invitation shows the present instruments as to an invited partner, and the added ones as to a party.
func TestDisclosedInvitation(t *testing.T) {
	lab := Instrument{ID: "lab", Kind: JointDevelopment, Title: "Lab", EffectiveOn: 2017_07_05, Disclosure: Undisclosed}
	fresh := lab
	fresh.ID = "fresh"
	invited := PartyInvited{
		Partners: []PartnerID{"zte"}, Instruments: []Instrument{lab},
		Changes: AmendmentChanges{Join: []Joining{{"zte"}}, AddInstruments: []Instrument{fresh}},
	}
	agreement := &Agreement{Terms: Terms{Parties: []PartnerID{"nokia", "xiaomi"}}, Instruments: []Instrument{lab}}
	shown, _ := agreement.DisclosedEvent(invited, "", "zte")
	require.Equal(t, []Instrument{{Kind: JointDevelopment, Disclosure: Undisclosed}}, shown.(PartyInvited).Instruments)
	require.Equal(t, []Instrument{fresh}, shown.(PartyInvited).Changes.AddInstruments)
	shown, reduced := agreement.DisclosedEvent(invited, "", "nokia")
	require.False(t, reduced)
	require.Equal(t, invited, shown)
}
