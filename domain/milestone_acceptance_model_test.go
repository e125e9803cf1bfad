package domain

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Random rounds of acceptance by two and three partners match a simple model: it refuses the same commands and
// reaches the same states.
func TestAcceptanceMatchesTheModel(t *testing.T) {
	for name, partners := range map[string][]PartnerID{
		"two partners":   {"nokia", "xiaomi"},
		"three partners": {"nokia", "xiaomi", "zte"},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				w := newWatch(t, partners)
				m := &acceptanceModel{owner: "nokia", acceptors: partners[1:], state: InProgress, today: 2018_02_01}
				for n := rapid.IntRange(20, 80).Draw(t, "length"); n > 0 && !m.state.Final(); n-- {
					m.today = m.today.AddDays(max(0, rapid.IntRange(-6, 3).Draw(t, "days")))
					who := rapid.SampledFrom(partners).Draw(t, "who")
					command := drawAcceptance(t, m)
					_, refusal := w.ledger.do(command, DecisionContext{
						Actor: Actor{Partner: who, Member: "m", Role: Manager, MaySign: true}, At: m.today.Time().Add(12 * time.Hour), Today: m.today,
					})
					require.Equal(t, m.do(who, command), refusal == nil, "%s: %#v: %v", who, command, refusal)
					m.compare(t, w.ledger.plain.Milestone(acceptanceRef()))
				}
				w.ledger.check()
			})
		})
	}
}

func acceptanceRef() MilestoneRef { return MilestoneRef{"a", "p", "m"} }

// drawAcceptance mostly draws a command that fits the state.
func drawAcceptance(t *rapid.T, m *acceptanceModel) Command {
	ref := acceptanceRef()
	usual := map[MilestoneState][]int{InProgress: {0, 0, 6}, Disputed: {7}, Delivered: {2, 3, 3, 5, 9, 10}, ConditionallyAccepted: {4, 4, 5, 9, 9, 10, 10, 11}}[m.state]
	act := rapid.IntRange(0, 12).Draw(t, "act")
	if rapid.IntRange(0, 3).Draw(t, "usual") > 0 {
		act = rapid.SampledFrom(usual).Draw(t, "usual act")
	}
	switch act {
	case 0:
		return DeliverMilestone{MilestoneRef: ref}
	case 1:
		return WithdrawDelivery{ref, ""}
	case 2:
		return AcceptMilestone{MilestoneRef: ref}
	case 3:
		wants := rapid.SliceOfN(rapid.Just(Requirement{Text: "Signed report", DueOn: 2025_12_31}), 1, 3)
		return AcceptMilestone{MilestoneRef: ref, Conditions: wants.Draw(t, "conditions")}
	case 4:
		return CloseCondition{ref, drawNumber(t, m)}
	case 5:
		return RejectMilestone{MilestoneRef: ref, Reasons: []string{"41 h only"}}
	case 6:
		return DisputeMilestone{MilestoneRef: ref, Reason: "The generator failed"}
	case 7:
		return SettleMilestone{ref, rapid.SampledFrom(Settlements()).Draw(t, "outcome"), ""}
	case 9:
		return MeetCondition{MilestoneRef: ref, Number: drawNumber(t, m)}
	case 10:
		return RefuseCondition{MilestoneRef: ref, Number: drawNumber(t, m), Reason: "Page 3 is missing"}
	case 11:
		return DisputeMilestone{MilestoneRef: ref, Reason: "There is no page 3", Condition: drawNumber(t, m)}
	}
	return WaiveMilestone{ref, "not needed"}
}

// drawNumber draws the number of a condition, mostly of an existing one.
func drawNumber(t *rapid.T, m *acceptanceModel) int {
	return rapid.IntRange(max(1, len(m.asked)-4), len(m.asked)+1).Draw(t, "number")
}

// acceptanceModel is a simple model of one milestone.
type acceptanceModel struct {
	owner      PartnerID
	acceptors  []PartnerID
	today      Date
	state      MilestoneState
	said       map[PartnerID]DecisionState
	asked      []PartnerID          // author of each condition by number from 1; empty once it is closed or void
	answers    map[int]*paperAnswer // to open conditions, by number
	disputed   int                  // number of the disputed condition; 0: the rejection
	disputable bool
	until      Date
	named      map[PartnerID]Settlement
	waived     []PartnerID
	acceptedOn Date
}

// paperAnswer is the model of the answers to a condition.
type paperAnswer struct {
	refused, settled bool
	until            Date // of a dispute
}

// do applies a command to the model, and reports whether it is allowed.
func (m *acceptanceModel) do(who PartnerID, command Command) bool {
	accepts, owns := slices.Contains(m.acceptors, who), who == m.owner
	round := m.state == Delivered || m.state == ConditionallyAccepted
	undecided := accepts && round && m.said[who] != DecisionAccepted
	switch command := command.(type) {
	case DeliverMilestone:
		return m.when(owns && m.state == InProgress, m.deliver)
	case WithdrawDelivery:
		return m.when(owns && round && !m.anySaid(DecisionAccepted) && !m.anySaid(DecisionConditional), m.reopen)
	case AcceptMilestone:
		if len(command.Conditions) > 0 {
			return m.when(undecided && m.said[who] == DecisionPending, func() { m.ask(who, len(command.Conditions)) })
		}
		return m.when(undecided, func() { m.yes(who) })
	case CloseCondition:
		mine := round && command.Number <= len(m.asked) && m.asked[command.Number-1] == who
		return m.when(mine, func() { m.closes(who, command.Number) })
	case RejectMilestone:
		return m.when(undecided, func() { m.reject(who) })
	case MeetCondition:
		answer := m.answers[command.Number]
		may := owns && round && m.isOpen(command.Number) && (answer == nil || answer.refused)
		return m.when(may, func() { m.answers[command.Number] = &paperAnswer{} })
	case RefuseCondition:
		answer := m.answers[command.Number]
		may := accepts && round && m.isOpen(command.Number) && m.asked[command.Number-1] == who && answer != nil && !answer.refused
		return m.when(may, func() { m.answers[command.Number] = &paperAnswer{refused: true, until: m.today.AddDays(watchDays)} })
	case DisputeMilestone:
		if answer := m.answers[command.Condition]; command.Condition != 0 {
			may := owns && round && m.isOpen(command.Condition) && answer != nil && answer.refused && !answer.settled && m.today <= answer.until
			return m.when(may, func() { m.dispute(command.Condition) })
		}
		return m.when(owns && m.state == InProgress && m.disputable && m.today <= m.until, func() { m.dispute(0) })
	case SettleMilestone:
		return m.when(m.state == Disputed && m.named[who] != command.Settlement, func() { m.name(who, command.Settlement) })
	case WaiveMilestone:
		return m.when(accepts && (round || m.state == InProgress) && !slices.Contains(m.waived, who), func() { m.waive(who) })
	}
	panic("the model does not know this command")
}

func (m *acceptanceModel) when(may bool, do func()) bool {
	if may {
		do()
	}
	return may
}

func (m *acceptanceModel) anySaid(state DecisionState) bool {
	return slices.ContainsFunc(m.acceptors, func(partner PartnerID) bool { return m.said[partner] == state })
}

// isOpen reports whether the condition is open.
func (m *acceptanceModel) isOpen(number int) bool {
	return number >= 1 && number <= len(m.asked) && m.asked[number-1] != ""
}

func (m *acceptanceModel) deliver() {
	m.answers = map[int]*paperAnswer{}
	m.state, m.disputable, m.said = Delivered, false, map[PartnerID]DecisionState{}
	for _, partner := range m.acceptors {
		m.said[partner] = DecisionPending
	}
}

func (m *acceptanceModel) reopen() {
	m.state, m.said = InProgress, nil
	clear(m.asked)
}

func (m *acceptanceModel) ask(who PartnerID, conditions int) {
	m.asked = append(m.asked, slices.Repeat([]PartnerID{who}, conditions)...)
	m.say(who, DecisionConditional)
}

func (m *acceptanceModel) yes(who PartnerID) {
	for i, partner := range m.asked {
		if partner == who {
			m.asked[i] = ""
		}
	}
	m.say(who, DecisionAccepted)
}

func (m *acceptanceModel) closes(who PartnerID, number int) {
	if m.asked[number-1] = ""; !slices.Contains(m.asked, who) {
		m.say(who, DecisionAccepted)
	}
}

func (m *acceptanceModel) say(who PartnerID, state DecisionState) {
	m.said[who] = state
	switch {
	case m.anySaid(DecisionPending):
	case m.anySaid(DecisionConditional):
		m.state = ConditionallyAccepted
	default:
		m.state, m.acceptedOn = Accepted, m.today
	}
}

func (m *acceptanceModel) reject(who PartnerID) {
	m.reopen()
	m.said = map[PartnerID]DecisionState{who: DecisionRejected}
	m.disputable, m.until = true, m.today.AddDays(watchDays)
}

func (m *acceptanceModel) dispute(condition int) {
	m.state, m.named, m.disputed = Disputed, map[PartnerID]Settlement{}, condition
}

func (m *acceptanceModel) name(who PartnerID, settlement Settlement) {
	m.named[who] = settlement
	for _, partner := range append([]PartnerID{m.owner}, m.acceptors...) {
		if m.named[partner] != settlement {
			return
		}
	}
	if m.disputed != 0 {
		m.settleCondition(m.asked[m.disputed-1], settlement)
		return
	}
	if settlement == SettledRejected {
		m.state, m.disputable = InProgress, false
		return
	}
	m.state, m.acceptedOn, m.said = Accepted, m.today, map[PartnerID]DecisionState{}
	for _, partner := range m.acceptors {
		m.said[partner] = DecisionAccepted
	}
}

// settleCondition ends a dispute about a condition, and the round goes on.
func (m *acceptanceModel) settleCondition(author PartnerID, settlement Settlement) {
	m.state = Delivered
	if settlement == SettledAccepted {
		m.closes(author, m.disputed)
	} else {
		m.answers[m.disputed].settled = true
	}
	m.say(author, m.said[author])
}

func (m *acceptanceModel) waive(who PartnerID) {
	if m.waived = append(m.waived, who); len(m.waived) == len(m.acceptors) {
		m.state, m.said = Waived, nil
		clear(m.asked)
	}
}

// compare requires the milestone to match the model.
func (m *acceptanceModel) compare(t *rapid.T, milestone *Milestone) {
	require.Equal(t, m.state, milestone.State)
	require.Equal(t, m.acceptedOn, milestone.AcceptedOn)
	for _, partner := range m.acceptors {
		require.Equal(t, m.said[partner], milestone.Decision(partner).State, partner)
		require.Equal(t, m.named[partner] != "" && m.state == Disputed, milestone.Dispute.ChoiceOf(partner) != "", partner)
	}
	asked, open := map[int]PartnerID{}, map[int]PartnerID{}
	for i, author := range m.asked {
		if author != "" {
			asked[i+1] = author
		}
	}
	for _, condition := range milestone.Conditions {
		if condition.ClosedOn == 0 {
			open[condition.Number] = condition.Author
			answer := m.answers[condition.Number]
			require.Equal(t, answer != nil, condition.Report != nil)
			require.Equal(t, answer != nil && answer.refused, condition.Refusal != nil)
		}
	}
	require.Equal(t, asked, open)
}
