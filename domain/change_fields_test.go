package domain

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// R15: every field of a plan defines what is owed, so change control covers it.
func TestChangeControlCoversTheWholePlan(t *testing.T) {
	var planned []string
	for i := range reflect.TypeFor[Plan]().NumField() {
		planned = append(planned, jsonName(reflect.TypeFor[Plan]().Field(i)))
	}
	require.ElementsMatch(t, planned, CoveredFields(), "add the field to ChangeFields")

	plan := filled(reflect.TypeFor[Plan]()).Interface().(Plan)
	require.Equal(t, plan, allFields(plan).applyTo(Plan{}))
	require.Equal(t, Plan{Title: "T", DueOn: 2018_03_30, Owner: "nokia", Acceptors: []PartnerID{"xiaomi"}},
		allFields(Plan{Title: "T", DueOn: 2018_03_30, Owner: "nokia", Acceptors: []PartnerID{"xiaomi"}}).applyTo(plan), "empty values are selected too")
	for _, field := range coveredFields {
		t.Run(field.name, func(t *testing.T) {
			changed := plan
			reflect.ValueOf(&changed).Elem().Field(field.field).SetZero()
			before, after := diffPlans(plan, changed)
			require.Equal(t, field.name, ProposedChange{From: before}.changedField(changed))
			require.Equal(t, field.name == "instrument" || field.name == "schedule_item" || field.name == "clause", before.Instrument != nil, "a part names its instrument")
			require.Empty(t, ProposedChange{From: before}.changedField(plan))
			require.True(t, before.hasFields())
			require.Equal(t, plan, before.applyTo(changed))
			if after.hasFields() { // the field can be empty
				require.Equal(t, changed, after.applyTo(plan))
			}
		})
	}
}

// A request that an earlier version proposed covers due date, owner, acceptors and criteria; its approval keeps the
// other fields as they are.
func TestRequestsOfEarlierVersions(t *testing.T) {
	s := &scenario{t: t, ledger: newLedger(t), today: NewDate(2018, time.January, 8)}
	s.given("a signed agreement a between nokia and xiaomi")
	s.given("an active project p of nokia and xiaomi")
	s.given(`a started milestone p/m of nokia with title="40 routers delivered" description="Forty"`)
	proposed, err := DecodeEvent("change.proposed.v1", []byte(`{"change":1,"by":"nokia","reason":"our plan","milestones":[`+
		`{"id":"m","from":{"due_on":"2018-03-30","owner":"nokia","acceptors":["xiaomi"],"criteria":[]},`+
		`"to":{"due_on":"2018-04-30","owner":"nokia","acceptors":["xiaomi"],"criteria":["72 h"]}}],"parties":["nokia","xiaomi"]}`))
	require.NoError(t, err)
	s.ledger.record(Stream{Agreement: "a", Project: "p"}, s.meta("nokia"), sharedEvents("", proposed))

	s.must("nokia", `edit p/m description="Forty and spares"`)
	require.Equal(t, ChangeStateOpen, s.ledger.plain.Project(ProjectRef{"a", "p"}).Change(1).State)
	s.must("xiaomi", "approve-change p number=1")
	milestone := s.ledger.plain.Milestone(MilestoneRef{"a", "p", "m"})
	require.Equal(t, Plan{
		Title: "40 routers delivered", Description: "Forty and spares", Owner: "nokia", Acceptors: []PartnerID{"xiaomi"}, DueOn: 2018_04_30, Criteria: []string{"72 h"},
	}, milestone.Plan)
	_, refusal := s.ledger.do(s.command(`edit p/m title="1 router shown"`), s.meta("nokia"))
	require.Equal(t, "baseline_agreed", refusal.Code)

	agreed, err := DecodeEvent("milestone.agreed.v1", []byte(`{"change":2,"reason":"later","to":{"due_on":"2018-05-31","owner":"nokia","acceptors":["xiaomi"]},`+
		`"from":{"due_on":"2018-04-30","owner":"nokia","acceptors":["xiaomi"],"criteria":["72 h"]},"baseline_from":"2018-04-30"}`))
	require.NoError(t, err)
	s.ledger.record(Stream{Agreement: "a", Project: "p"}, s.meta("xiaomi"), []Event{{"m", Shared, agreed}})
	milestone = s.ledger.plain.Milestone(MilestoneRef{"a", "p", "m"})
	require.Equal(t, Plan{
		Title: "40 routers delivered", Description: "Forty and spares", Owner: "nokia", Acceptors: []PartnerID{"xiaomi"}, DueOn: 2018_05_31,
	}, milestone.Plan, "a stored event without criteria removed them")
	s.ledger.check()
}
