package domain

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Field errors beside those of the scenarios. Each row begins with its field.
func TestFieldErrors(t *testing.T) {
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
	for name, command := range invalidCommands() {
		t.Run(name, func(t *testing.T) {
			events, err := Decide(s.ledger.plain, command, s.meta("nokia"))
			var refusal *Error
			require.True(t, errors.As(err, &refusal), "%v", events)
			require.Equal(t, Invalid, refusal.Kind)
			require.Equal(t, "invalid_field", refusal.Code)
			field, _, _ := strings.Cut(name, ":")
			require.Equal(t, field, refusal.Fields[0].Field)
		})
	}
}

func invalidCommands() map[string]Command {
	item := func(i ScheduleItem) Command {
		return AddInstrument{"draft", Instrument{
			ID: "i", Kind: Collaboration, Title: "I", EffectiveOn: 2017_07_05, Disclosure: Disclosed, Schedule: []ScheduleItem{i},
		}}
	}
	m := MilestoneRef{"a", "p", "m"}
	long := strings.Repeat("ä", 2001)
	return map[string]Command{
		"schedule: negative count":             item(ScheduleItem{ID: "i", Title: "I", Count: -1}),
		"schedule: long kind":                  item(ScheduleItem{ID: "i", Title: "I", Kind: long}),
		"schedule: upper-case id":              item(ScheduleItem{ID: "I", Title: "I"}),
		"evidence: long URL":                   DeliverMilestone{MilestoneRef: m, Evidence: []Evidence{{Title: "Report", URL: "https://example.com/" + long}}},
		"evidence: short hash":                 DeliverMilestone{MilestoneRef: m, Evidence: []Evidence{{Title: "Report", URL: "https://example.com/", SHA256: "abc"}}},
		"evidence: too many":                   DeliverMilestone{MilestoneRef: m, Evidence: make([]Evidence, 51)},
		"evidence: too many in both lists":     DeliverMilestone{MilestoneRef: m, Evidence: make([]Evidence, 25), PrivateEvidence: make([]Evidence, 26)},
		"private_note: too long":               NoteInstrument{"a", "i", strings.Repeat(long, 6)},
		"note: too long in an assessment":      ReportProgress{MilestoneRef: m, Note: &long, Private: true},
		"holidays: no date":                    EditPartner{PartnerID: "nokia", Holidays: &[]Date{0}},
		"decide_by: of another move":           CallStage{ProjectRef: m.ProjectRef(), Move: MoveCommit, DecideBy: 2018_06_30},
		"move: unknown":                        CallStage{ProjectRef: m.ProjectRef(), Move: "abandon"},
		"criteria: too many":                   EditMilestone{MilestoneRef: m, Criteria: new(make([]string, 101))},
		"reason: too long to cancel":           CancelMilestone{MilestoneRef: m, Reason: long},
		"reason: too long to reject a change":  RejectChange{ChangeRef{m.ProjectRef(), 1}, long},
		"reason: too long to propose a change": ProposeChange{ProjectRef: m.ProjectRef(), Reason: long, Milestones: []WantedChange{{Milestone: "m"}}},
		"milestones: too many":                 ProposeChange{ProjectRef: m.ProjectRef(), Reason: "r", Milestones: make([]WantedChange, 101)},
		"milestones: long criterion":           ProposeChange{ProjectRef: m.ProjectRef(), Reason: "r", Milestones: []WantedChange{{Milestone: "m", To: ChangeFields{Criteria: &[]string{long}}}}},
		"publish: too many":                    ProposeChange{ProjectRef: m.ProjectRef(), Reason: "r", Publish: make([]MilestoneID, 101)},
		"conditions: too many":                 AcceptMilestone{MilestoneRef: m, Conditions: make([]Requirement, 51)},
		"conditions: long text":                AcceptMilestone{MilestoneRef: m, Conditions: []Requirement{{Text: long, DueOn: 2018_03_30}}},
		"number: negative":                     CloseCondition{MilestoneRef: m, Number: -1},
		"outcome: unknown":                     SettleMilestone{MilestoneRef: m, Settlement: "waived"},
		"note: too long in a settlement":       SettleMilestone{MilestoneRef: m, Settlement: SettledAccepted, Note: long},
		"reason: too long in a dispute":        DisputeMilestone{MilestoneRef: m, Reason: long},
		"note: too long in a report":           ReportProgress{MilestoneRef: m, Note: &long},
		"text: too long in a comment":          CommentMilestone{MilestoneRef: m, Text: strings.Repeat(long, 6)},
		"expires_at: after 9999":               IssueToken{TokenRef: TokenRef{Partner: "nokia", Token: "t"}, Name: "T", Role: Viewer, Hash: make([]byte, 32), ExpiresAt: time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -7200))},
	}
}

func TestTextLimitCountsCharacters(t *testing.T) {
	var check validation
	check.text("note", strings.Repeat("项", 2000), 2000, true)
	require.Empty(t, check)
}

func TestTokenRole(t *testing.T) {
	token := &Token{Role: Manager}
	require.Equal(t, Manager, token.RoleFor(nil), "a program has the token's role")
	require.Equal(t, Manager, token.RoleFor(&Member{Role: Manager}))
	require.Equal(t, Viewer, token.RoleFor(&Member{Role: Viewer}), "a member that became a viewer keeps no manager's token")
	token.Role = Viewer
	require.Equal(t, Viewer, token.RoleFor(&Member{Role: Manager}))
}

func TestTokenValidity(t *testing.T) {
	now := time.Date(2018, 1, 8, 12, 0, 0, 0, time.UTC)
	require.True(t, (&Token{}).ValidAt(nil, now))
	require.True(t, (&Token{ExpiresAt: now.Add(1)}).ValidAt(&Member{}, now))
	require.False(t, (&Token{ExpiresAt: now}).ValidAt(nil, now), "it expires at that instant")
	require.False(t, (&Token{Revoked: true}).ValidAt(nil, now))
	require.False(t, (&Token{}).ValidAt(&Member{Removed: true}, now))
}

func TestFieldErrorsAreOrdered(t *testing.T) {
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

func TestOverdueStartsTheDayAfter(t *testing.T) {
	milestone := &Milestone{State: InProgress, Plan: Plan{DueOn: 2018_03_30}}
	require.False(t, milestone.Overdue(2018_03_30))
	require.True(t, milestone.Overdue(2018_03_31))
	milestone.State = Delivered
	require.False(t, milestone.Overdue(2018_03_31), "the owner has done its part")
}

func TestMilestoneStates(t *testing.T) {
	final := map[MilestoneState]bool{Accepted: true, PrivatelyCompleted: true, Waived: true, Cancelled: true}
	for _, state := range MilestoneStates() {
		t.Run(string(state), func(t *testing.T) { require.Equal(t, final[state], state.Final()) })
	}
	require.Len(t, MilestoneStates(), 9)
	require.Equal(t, []Health{Green, Amber, Red}, Healths())
}

func TestActorNames(t *testing.T) {
	for name, actor := range map[string]Actor{"anna": {Member: "anna"}, "via-operator/anna": {Member: "anna", ViaOperator: true}} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, name, actor.Name())
			member, viaOperator := ParseActorName(name)
			require.Equal(t, actor.Member, member)
			require.Equal(t, actor.ViaOperator, viaOperator)
		})
	}
}
