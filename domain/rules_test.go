package domain

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Field errors beside those of the scenarios.
func TestFieldsAreChecked(t *testing.T) {
	s := &scenario{t: t, ledger: newLedger(t), today: NewDate(2018, time.January, 8)}
	s.given("a partner nokia")
	s.given("a draft agreement draft between nokia and xiaomi")
	s.given("a draft agreement a between nokia and xiaomi")
	s.must("nokia", "add-instrument i kind=collaboration")
	s.must("nokia", "sign a")
	s.must("xiaomi", "sign a")
	s.given("an exploring project p of nokia and xiaomi")
	s.given("a started milestone p/m of nokia")
	s.must("nokia", "propose-change p reason=agree milestones=m")
	item := func(i ScheduleItem) Command {
		return AddInstrument{"draft", Instrument{
			ID: "i", Kind: Collaboration, Title: "I", EffectiveOn: 2017_07_05, Disclosure: Disclosed, Schedule: []ScheduleItem{i},
		}}
	}
	m := MilestoneRef{"a", "p", "m"}
	long := strings.Repeat("ä", 2001)
	for name, command := range map[string]Command{
		"schedule":     item(ScheduleItem{ID: "i", Title: "I", Count: -1}),
		"schedule 2":   item(ScheduleItem{ID: "i", Title: "I", Kind: long}),
		"schedule 3":   item(ScheduleItem{ID: "I", Title: "I"}),
		"evidence":     DeliverMilestone{MilestoneRef: m, Evidence: []Evidence{{Title: "Report", URL: "https://example.com/" + long}}},
		"evidence 2":   DeliverMilestone{MilestoneRef: m, Evidence: []Evidence{{Title: "Report", URL: "https://example.com/", SHA256: "abc"}}},
		"evidence 3":   DeliverMilestone{MilestoneRef: m, Evidence: make([]Evidence, 51)},
		"evidence 4":   DeliverMilestone{MilestoneRef: m, Evidence: make([]Evidence, 25), PrivateEvidence: make([]Evidence, 26)},
		"private_note": NoteInstrument{"a", "i", strings.Repeat(long, 6)},
		"note 3":       ReportProgress{MilestoneRef: m, Note: &long, Private: true},
		"holidays":     EditPartner{PartnerID: "nokia", Holidays: &[]Date{0}},
		"decide_by":    CallStage{ProjectRef: m.ProjectRef(), Move: MoveCommit, DecideBy: 2018_06_30},
		"move":         CallStage{ProjectRef: m.ProjectRef(), Move: "abandon"},
		"criteria":     EditMilestone{MilestoneRef: m, Criteria: new(make([]string, 101))},
		"reason":       CancelMilestone{MilestoneRef: m, Reason: long},
		"reason 3":     RejectChange{ChangeRef{m.ProjectRef(), 1}, long},
		"reason 4":     ProposeChange{ProjectRef: m.ProjectRef(), Reason: long, Milestones: []WantedChange{{Milestone: "m"}}},
		"milestones":   ProposeChange{ProjectRef: m.ProjectRef(), Reason: "r", Milestones: make([]WantedChange, 101)},
		"milestones 2": ProposeChange{ProjectRef: m.ProjectRef(), Reason: "r", Milestones: []WantedChange{{Milestone: "m", To: ChangeFields{Criteria: &[]string{long}}}}},
		"publish":      ProposeChange{ProjectRef: m.ProjectRef(), Reason: "r", Publish: make([]MilestoneID, 101)},
		"conditions":   AcceptMilestone{MilestoneRef: m, Conditions: make([]Requirement, 51)},
		"conditions 2": AcceptMilestone{MilestoneRef: m, Conditions: []Requirement{{Text: long, DueOn: 2018_03_30}}},
		"number":       CloseCondition{MilestoneRef: m, Number: -1},
		"outcome":      SettleMilestone{MilestoneRef: m, Settlement: "waived"},
		"note 2":       SettleMilestone{MilestoneRef: m, Settlement: SettledAccepted, Note: long},
		"reason 2":     DisputeMilestone{MilestoneRef: m, Reason: long},
		"note":         ReportProgress{MilestoneRef: m, Note: &long},
		"text":         CommentMilestone{MilestoneRef: m, Text: strings.Repeat(long, 6)},
		"expires_at":   IssueToken{TokenRef: TokenRef{Partner: "nokia", Token: "t"}, Name: "T", Role: Viewer, Hash: make([]byte, 32), ExpiresAt: time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -7200))},
	} {
		t.Run(name, func(t *testing.T) {
			events, err := Decide(s.ledger.plain, command, s.meta("nokia"))
			var refusal *Error
			require.True(t, errors.As(err, &refusal), "%v", events)
			require.Equal(t, Invalid, refusal.Kind)
			require.Equal(t, "invalid_field", refusal.Code)
			field, _, _ := strings.Cut(name, " ")
			require.Equal(t, field, refusal.Fields[0].Field)
		})
	}
}

func TestALongTextIsCountedInCharacters(t *testing.T) {
	var check validation
	check.text("note", strings.Repeat("项", 2000), 2000, true)
	require.Empty(t, check)
}

func TestATokenGivesNoMoreThanItsMemberHas(t *testing.T) {
	token := &Token{Role: Manager}
	require.Equal(t, Manager, token.RoleFor(nil), "a program has the token's role")
	require.Equal(t, Manager, token.RoleFor(&Member{Role: Manager}))
	require.Equal(t, Viewer, token.RoleFor(&Member{Role: Viewer}), "a member that became a viewer keeps no manager's token")
	token.Role = Viewer
	require.Equal(t, Viewer, token.RoleFor(&Member{Role: Manager}))
}

func TestTokenGrants(t *testing.T) {
	now := time.Date(2018, 1, 8, 12, 0, 0, 0, time.UTC)
	require.True(t, (&Token{}).ValidAt(nil, now))
	require.True(t, (&Token{ExpiresAt: now.Add(1)}).ValidAt(&Member{}, now))
	require.False(t, (&Token{ExpiresAt: now}).ValidAt(nil, now), "it expires at that instant")
	require.False(t, (&Token{Revoked: true}).ValidAt(nil, now))
	require.False(t, (&Token{}).ValidAt(&Member{Removed: true}, now))
	require.True(t, (&Token{}).Covers("any"))
	require.True(t, (&Token{Agreements: []AgreementID{"a", "b"}}).Covers("b"))
	require.False(t, (&Token{Agreements: []AgreementID{"a", "b"}}).Covers("c"))
}

func TestFaultsComeInOneOrder(t *testing.T) {
	agreement := &Agreement{Terms: Terms{Parties: []PartnerID{"nokia", "xiaomi"}}}
	instrument := Instrument{ID: "i", Kind: Collaboration, Roles: map[RoleName][]PartnerID{}}
	for _, r := range []RoleName{Licensors, Assignor, Assignee, Supplier, Customer} {
		instrument.Roles[r] = []PartnerID{"zte"}
	}
	first := instrument.validate(agreement)
	for range 50 {
		require.Equal(t, first, instrument.validate(agreement))
	}
}

func TestOverdueIsTheDayAfter(t *testing.T) {
	milestone := &Milestone{State: InProgress, Plan: Plan{DueOn: 2018_03_30}}
	require.False(t, milestone.Overdue(2018_03_30))
	require.True(t, milestone.Overdue(2018_03_31))
	milestone.State = Delivered
	require.False(t, milestone.Overdue(2018_03_31), "the owner has done its part")
}

func TestStatesAreAllListed(t *testing.T) {
	final := map[MilestoneState]bool{Accepted: true, Waived: true, Cancelled: true}
	for _, state := range MilestoneStates() {
		require.Equal(t, final[state], state.Final(), state)
	}
	require.Len(t, MilestoneStates(), 8)
	require.Equal(t, []Health{Green, Amber, Red}, Healths())
}

func TestActorNames(t *testing.T) {
	for _, a := range []Actor{{Member: "anna"}, {Member: "anna", ViaOperator: true}} {
		member, via := ParseActorName(a.Name())
		require.Equal(t, a.Member, member)
		require.Equal(t, a.ViaOperator, via)
	}
}
