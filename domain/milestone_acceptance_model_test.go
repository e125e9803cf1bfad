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
						Actor: Actor{Partner: who, Member: "m", Role: Manager}, At: m.today.Time().Add(12 * time.Hour), Today: m.today,
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
	usual := map[MilestoneState][]int{InProgress: {0, 0, 6}, Disputed: {7}, Delivered: {2, 3, 3, 5}, ConditionallyAccepted: {4, 4, 5}}[m.state]
	act := rapid.IntRange(0, 8).Draw(t, "act")
	if rapid.IntRange(0, 3).Draw(t, "usual") > 0 {
		act = rapid.SampledFrom(usual).Draw(t, "usual act")
	}
	switch act {
	case 0:
		return DeliverMilestone{MilestoneRef: ref}
	case 1:
		return WithdrawDelivery{ref}
	case 2:
		return AcceptMilestone{MilestoneRef: ref}
	case 3:
		wants := rapid.SliceOfN(rapid.Just(Requirement{"Signed report", 2019_12_31}), 1, 3)
		return AcceptMilestone{MilestoneRef: ref, Conditions: wants.Draw(t, "conditions")}
	case 4:
		return CloseCondition{ref, rapid.IntRange(max(1, len(m.asked)-4), len(m.asked)+1).Draw(t, "number")}
	case 5:
		return RejectMilestone{ref, []string{"41 h only"}}
	case 6:
		return DisputeMilestone{ref, "The generator failed"}
	case 7:
		return SettleMilestone{ref, rapid.SampledFrom(Settlements()).Draw(t, "outcome"), ""}
	}
	return WaiveMilestone{ref}
}

// acceptanceModel is a simple model of one milestone.
type acceptanceModel struct {
	owner      PartnerID
	acceptors  []PartnerID
	today      Date
	state      MilestoneState
	said       map[PartnerID]DecisionState
	asked      []PartnerID // author of each condition by number from 1; empty once it is closed or void
	disputable bool
	until      Date
	named      map[PartnerID]Settlement
	waived     []PartnerID
	acceptedOn Date
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
		mine := command.Number <= len(m.asked) && m.asked[command.Number-1] == who
		return m.when(mine, func() { m.closes(who, command.Number) })
	case RejectMilestone:
		return m.when(undecided, func() { m.reject(who) })
	case DisputeMilestone:
		return m.when(owns && m.state == InProgress && m.disputable && m.today <= m.until, m.dispute)
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

func (m *acceptanceModel) deliver() {
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

func (m *acceptanceModel) dispute() { m.state, m.named = Disputed, map[PartnerID]Settlement{} }

func (m *acceptanceModel) name(who PartnerID, settlement Settlement) {
	m.named[who] = settlement
	for _, partner := range append([]PartnerID{m.owner}, m.acceptors...) {
		if m.named[partner] != settlement {
			return
		}
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
		}
	}
	require.Equal(t, asked, open)
}
