package domain

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Random planning by two and three partners matches a simple model of stages, plans and change requests: it
// refuses the same commands and reaches the same states.
func TestPlanningMatchesTheModel(t *testing.T) {
	two, three := []PartnerID{"nokia", "xiaomi"}, []PartnerID{"nokia", "xiaomi", "zte"}
	for name, run := range map[string]struct{ partners, workers []PartnerID }{
		"two partners":                         {two, two},
		"three partners":                       {three, three},
		"three partners, one without own work": {three, two},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				partners := run.partners
				w, m := newWatch(t, partners), newPlanModel(partners, run.workers)
				m.begin(w)
				for range rapid.IntRange(20, 80).Draw(t, "length") {
					who := rapid.SampledFrom(partners).Draw(t, "who")
					command := drawPlan(t, m)
					_, refusal := w.ledger.do(command, DecisionContext{Actor: Actor{Partner: who, Member: "m", Role: Manager, MaySign: true}, At: planDay.Time(), Today: planDay})
					require.Equal(t, m.do(who, command), refusal == nil, "%s: %#v: %v", who, command, refusal)
					m.compare(t, w.ledger.plain)
				}
				w.ledger.check()
			})
		})
	}
}

const planDay = Date(2018_02_01)

func planRef() ProjectRef { return ProjectRef{"a", "r"} }

// planModel is a simple model of one project.
type planModel struct {
	partners   []PartnerID
	workers    []PartnerID // the owner and the acceptors of each milestone
	stage      Stage
	lead       PartnerID
	calls      []paperCall // open
	milestones map[MilestoneID]*paperPlan
	changes    []*paperChange
}

// paperCall is the model of an open call.
type paperCall struct {
	move          StageMove
	partner       PartnerID
	lead, leaving PartnerID
	endings       string // the dispositions: "x cancelled y waived "
}

// paperPlan is the model of a milestone.
type paperPlan struct {
	owner     PartnerID
	title     string
	due, base Date
	state     MilestoneState
	missing   []PartnerID // acceptors that have not accepted the delivery
	waived    []PartnerID
}

// paperChange is the model of a change request.
type paperChange struct {
	by       PartnerID
	state    ChangeState
	approved []PartnerID
	wants    []paperWish
}

// paperWish is the part of a request about one milestone, with the values at the time of the proposal.
type paperWish struct {
	id             MilestoneID
	due            Date      // zero: unchanged
	owner          PartnerID // empty: unchanged; all others accept
	title          string    // empty: unchanged
	cancel         bool
	whole          bool // the request covers the whole plan
	then           paperPlan
	moves, changes bool // whether the date, or the owner, changes
	renames        bool
}

func newPlanModel(partners, workers []PartnerID) *planModel {
	return &planModel{
		partners: slices.Clone(partners), workers: workers, stage: Exploring, lead: "nokia",
		milestones: map[MilestoneID]*paperPlan{
			"x": {owner: "nokia", title: "M", due: 2018_03_30, state: Planned},
			"y": {owner: "xiaomi", title: "M", due: 2018_04_30, state: Planned},
		},
	}
}

// begin creates the project of the model.
func (m *planModel) begin(w *watch) {
	by := DecisionContext{Actor: Actor{Partner: "nokia", Member: "m", Role: Manager, MaySign: true}, At: planDay.Time(), Today: planDay}
	w.step(CreateProject{ProjectRef: planRef(), Title: "R", Stage: Exploring, Lead: "nokia", Participants: m.partners, DecideBy: 2018_06_30}, by)
	for id, x := range m.milestones {
		w.step(PlanMilestone{MilestoneRef: m.ref(id), Plan: Plan{Title: x.title, Owner: x.owner, Acceptors: m.others(x.owner), DueOn: x.due}}, by)
	}
}

func (m *planModel) ref(id MilestoneID) MilestoneRef { return MilestoneRef{"a", "r", id} }

func drawPlan(t *rapid.T, m *planModel) Command {
	id := rapid.SampledFrom([]MilestoneID{"x", "y"}).Draw(t, "milestone")
	ref, number := m.ref(id), max(1, len(m.changes)-rapid.IntRange(0, 2).Draw(t, "ago"))
	due := rapid.SampledFrom([]Date{2018_03_30, 2018_04_30, 2018_05_31}).Draw(t, "due")
	switch rapid.IntRange(0, 15).Draw(t, "act") {
	case 0, 1, 2:
		return drawMove(t, m)
	case 3:
		if rapid.Bool().Draw(t, "rename") {
			return EditMilestone{MilestoneRef: ref, Title: new(drawTitle.Draw(t, "title"))}
		}
		return EditMilestone{MilestoneRef: ref, DueOn: &due}
	case 4:
		return StartMilestone{ref}
	case 5:
		return DeliverMilestone{MilestoneRef: ref}
	case 6:
		return AcceptMilestone{MilestoneRef: ref}
	case 7:
		return RejectMilestone{MilestoneRef: ref, Reasons: []string{"41 h only"}}
	case 8:
		return rapid.SampledFrom([]Command{CancelMilestone{MilestoneRef: ref}, WaiveMilestone{ref, "not needed"}, ReportProgress{MilestoneRef: ref, Percent: new(7)}}).Draw(t, "rare")
	case 9, 10:
		return ProposeChange{ProjectRef: planRef(), Reason: "so", Milestones: drawPlanWishes(t, m, due)}
	case 11:
		return RejectChange{ChangeRef{planRef(), number}, "no"}
	case 12:
		return WithdrawChange{ChangeRef{planRef(), number}, ""}
	}
	return ApproveChange{ChangeRef{planRef(), number}}
}

func drawMove(t *rapid.T, m *planModel) CallStage {
	moves := []StageMove{
		MoveCommit, MoveCommit, MoveCommit, MoveStart, MovePause, MoveResume, MoveComplete, MoveStop, MoveDecline, MoveChangeLead, MoveChangeLead, MoveLeave, MoveLeave,
	}
	call := CallStage{
		ProjectRef: planRef(), Move: rapid.SampledFrom(moves).Draw(t, "move"), Reason: "so", Withdraw: rapid.IntRange(0, 5).Draw(t, "withdraw") == 0,
	}
	switch call.Move {
	case MoveChangeLead:
		call.Lead = rapid.SampledFrom([]PartnerID{"nokia", "xiaomi", "xiaomi", "zte"}).Draw(t, "lead")
	case MoveComplete, MoveStop:
		for _, id := range []MilestoneID{"y", "x"} {
			forgotten := rapid.IntRange(0, 9).Draw(t, "forgotten") == 0
			if m.milestones[id].state.Final() == forgotten {
				ending := rapid.SampledFrom([]MilestoneState{Cancelled, Cancelled, Waived}).Draw(t, "ending")
				call.Dispositions = append(call.Dispositions, Disposition{Milestone: id, State: ending})
			}
		}
	case MoveLeave:
		call.Leaving = rapid.SampledFrom([]PartnerID{"", "xiaomi", "zte", "zte"}).Draw(t, "leaving")
	}
	return call
}

func drawPlanWishes(t *rapid.T, m *planModel, due Date) []WantedChange {
	var wishes []WantedChange
	for _, id := range rapid.SampledFrom([][]MilestoneID{{"x"}, {"y"}, {"x", "y"}}).Draw(t, "milestones") {
		wanted := WantedChange{Milestone: id}
		switch rapid.IntRange(0, 5).Draw(t, "wish") {
		case 0:
			wanted.Cancel = true
		case 1:
			wanted.To.Owner = rapid.SampledFrom([]PartnerID{"nokia", "xiaomi"}).Draw(t, "owner")
			wanted.To.Acceptors = m.others(wanted.To.Owner)
		case 2, 3:
			wanted.To.DueOn = due
		case 4:
			wanted.To.Title = drawTitle.Draw(t, "title")
		}
		wishes = append(wishes, wanted)
	}
	return wishes
}

// do applies a command to the model, and reports whether it is allowed.
func (m *planModel) do(who PartnerID, command Command) bool {
	done := m.decide(who, command)
	for _, x := range m.changes {
		if x.state == ChangeStateOpen && m.groundless(x) {
			x.state = ChangeStateVoid
		}
	}
	return done
}

func (m *planModel) decide(who PartnerID, command Command) bool {
	if !slices.Contains(m.partners, who) {
		return false
	}
	switch command := command.(type) {
	case CallStage:
		return m.call(who, command)
	case ProposeChange:
		return m.propose(who, command)
	case ApproveChange:
		return m.approve(who, command.Number)
	case RejectChange:
		return m.close(command.Number, ChangeStateRejected, func(x *paperChange) bool { return slices.Contains(m.concerned(x), who) })
	case WithdrawChange:
		return m.close(command.Number, ChangeStateWithdrawn, func(x *paperChange) bool { return x.by == who })
	}
	return m.work(who, command)
}

// call adds or withdraws a call, and makes the move after the last required one.
func (m *planModel) call(who PartnerID, command CallStage) bool {
	mine := paperCall{command.Move, who, command.Lead, command.Leaving, endings(command.Dispositions)}
	if mine.move == MoveLeave && mine.leaving == "" {
		mine.leaving = who
	}
	same := func(call paperCall) bool { return call.move == mine.move && call.partner == who }
	alone := mine.move == MoveStart || mine.move == MovePause || mine.move == MoveResume || (mine.move == MoveStop && m.tentative())
	if command.Withdraw {
		may := mine.move != MoveDecline && slices.ContainsFunc(m.calls, same)
		return when(may, func() { m.calls = slices.DeleteFunc(m.calls, same) })
	}
	if !m.possible(mine) || (alone && who != m.lead) || !m.endsRightly(mine, alone) {
		return false
	}
	if alone || mine.move == MoveDecline {
		m.move(mine)
		return true
	}
	again := slices.Contains(m.calls, mine)
	m.calls = append(slices.DeleteFunc(m.calls, same), mine)
	for _, partner := range m.partners {
		theirs := mine
		if theirs.partner = partner; !slices.Contains(m.calls, theirs) {
			return !again
		}
	}
	m.move(mine)
	return true
}

func endings(dispositions []Disposition) (words string) {
	for _, disposition := range sortedDispositions(dispositions) {
		words += string(disposition.Milestone) + " " + string(disposition.State) + " "
	}
	return words
}

// endsRightly reports whether a call to end the project names exactly the open milestones.
func (m *planModel) endsRightly(call paperCall, alone bool) bool {
	if call.move != MoveComplete && call.move != MoveStop {
		return true
	}
	for id, x := range m.milestones {
		if strings.Contains(call.endings, string(id)+" ") == x.state.Final() || (alone && x.state == Delivered) {
			return false
		}
	}
	return true
}

func (m *planModel) tentative() bool { return m.stage == Exploring }

func (m *planModel) ended() bool {
	return m.stage == Completed || m.stage == Stopped || m.stage == Declined
}

// possible reports whether the move is possible now.
func (m *planModel) possible(call paperCall) bool {
	switch call.move {
	case MoveCommit, MoveDecline:
		return m.tentative()
	case MoveStart:
		return m.stage == Committed
	case MovePause, MoveComplete:
		return m.stage == Active
	case MoveResume:
		return m.stage == Paused
	case MoveChangeLead:
		return !m.ended() && call.lead != m.lead && slices.Contains(m.partners, call.lead)
	case MoveLeave:
		return !m.ended() && call.leaving != m.lead && slices.Contains(m.partners, call.leaving) && len(m.partners) > 2 && !m.holdsOpen(call.leaving)
	}
	return !m.ended()
}

// holdsOpen reports whether the partner owns or accepts an open milestone.
func (m *planModel) holdsOpen(partner PartnerID) bool {
	for _, x := range m.milestones {
		if !x.state.Final() && slices.Contains(m.workers, partner) {
			return true
		}
	}
	return false
}

func (m *planModel) move(call paperCall) {
	switch call.move {
	case MoveChangeLead:
		m.lead = call.lead
		m.calls = slices.DeleteFunc(m.calls, func(other paperCall) bool { return other.move == MoveChangeLead })
		return
	case MoveLeave:
		m.partners = without(m.partners, call.leaving)
		m.calls = slices.DeleteFunc(m.calls, func(other paperCall) bool {
			return other.partner == call.leaving || other.leaving == call.leaving || other.lead == call.leaving
		})
		return
	}
	words := strings.Fields(call.endings)
	for i := 0; i < len(words); i += 2 {
		m.milestones[MilestoneID(words[i])].state = MilestoneState(words[i+1])
	}
	m.stage = map[StageMove]Stage{
		MoveCommit: Committed, MoveDecline: Declined, MoveStart: Active, MovePause: Paused, MoveResume: Active, MoveComplete: Completed, MoveStop: Stopped,
	}[call.move]
	m.calls = slices.DeleteFunc(m.calls, func(other paperCall) bool {
		if other.move == MoveChangeLead || other.move == MoveLeave {
			return m.ended() // the other conditions are checked with the last call
		}
		return !m.possible(other)
	})
}

// work applies a command about a milestone.
func (m *planModel) work(who PartnerID, command Command) bool {
	x := m.milestones[reflect.ValueOf(command).FieldByName("MilestoneRef").Interface().(MilestoneRef).Milestone]
	owns, undelivered := x.owner == who, x.state == Planned || x.state == InProgress
	ended := m.ended()
	waiting := x.state == Delivered && slices.Contains(x.missing, who)
	switch command := command.(type) {
	case EditMilestone:
		changes := (command.DueOn != nil && *command.DueOn != x.due) || (command.Title != nil && *command.Title != x.title)
		return when(owns && undelivered && x.base == 0 && changes, func() {
			set(&x.due, command.DueOn)
			set(&x.title, command.Title)
		})
	case CancelMilestone:
		return when(owns && undelivered && x.base == 0, func() { x.state = Cancelled })
	case StartMilestone:
		return when(owns && x.state == Planned && m.stage != Paused && !ended, func() { x.state = InProgress })
	case ReportProgress:
		return owns && x.state == InProgress && !ended
	case DeliverMilestone:
		return when(owns && x.state == InProgress && !ended, func() { x.state, x.missing = Delivered, m.others(x.owner) })
	case AcceptMilestone:
		return when(waiting, func() { m.yes(x, who) })
	case RejectMilestone:
		return when(waiting, func() { x.state = InProgress })
	case WaiveMilestone:
		may := !owns && slices.Contains(m.workers, who) && (undelivered || x.state == Delivered) && !slices.Contains(x.waived, who)
		return when(may, func() { m.waive(x, who) })
	}
	panic("the model does not know this command")
}

func when(may bool, do func()) bool {
	if may {
		do()
	}
	return may
}

func (m *planModel) others(owner PartnerID) []PartnerID { return without(m.workers, owner) }

func (m *planModel) yes(x *paperPlan, who PartnerID) {
	if x.missing = without(x.missing, who); len(x.missing) == 0 {
		x.state = Accepted
	}
}

func (m *planModel) waive(x *paperPlan, who PartnerID) {
	if x.waived = with(x.waived, who); len(x.waived) == len(m.workers)-1 {
		x.state = Waived
	}
}

// propose adds a request with its ground.
func (m *planModel) propose(who PartnerID, c ProposeChange) bool {
	x := &paperChange{by: who, state: ChangeStateOpen}
	for _, wanted := range c.Milestones {
		now := m.milestones[wanted.Milestone]
		wish := paperWish{id: wanted.Milestone, due: wanted.To.DueOn, owner: wanted.To.Owner, title: wanted.To.Title, cancel: wanted.Cancel, then: *now}
		wish.whole = now.base == 0 && !wanted.Cancel
		wish.moves = wish.due != 0 && wish.due != now.due
		wish.changes = wish.owner != "" && wish.owner != now.owner
		wish.renames = wish.title != "" && wish.title != now.title
		if now.state.Final() || (!wish.cancel && !wish.whole && !wish.moves && !wish.changes && !wish.renames) {
			return false
		}
		x.wants = append(x.wants, wish)
	}
	if slices.Contains(m.concerned(x), who) {
		x.approved = []PartnerID{who}
	}
	m.changes = append(m.changes, x)
	return true
}

// concerned returns the partners that have to approve the request.
func (m *planModel) concerned(*paperChange) []PartnerID { return m.workers }

func (m *planModel) groundless(x *paperChange) bool {
	return slices.ContainsFunc(x.wants, func(w paperWish) bool {
		now := m.milestones[w.id]
		return now.state.Final() || ((w.whole || w.moves) && now.due != w.then.due) || ((w.whole || w.changes) && now.owner != w.then.owner) ||
			((w.whole || w.renames) && now.title != w.then.title)
	})
}

func (m *planModel) close(number int, to ChangeState, may func(*paperChange) bool) bool {
	if number > len(m.changes) || m.changes[number-1].state != ChangeStateOpen || !may(m.changes[number-1]) {
		return false
	}
	m.changes[number-1].state = to
	return true
}

func (m *planModel) approve(who PartnerID, number int) bool {
	if number > len(m.changes) {
		return false
	}
	x := m.changes[number-1]
	if x.state != ChangeStateOpen || slices.Contains(x.approved, who) || !slices.Contains(m.concerned(x), who) {
		return false
	}
	if len(x.approved)+1 < len(m.concerned(x)) {
		x.approved = with(x.approved, who)
		return true
	}
	for _, w := range x.wants {
		if now := m.milestones[w.id]; (w.cancel || w.changes) && now.state == Delivered {
			return false
		}
	}
	x.state, x.approved = ChangeStateApproved, with(x.approved, who)
	for _, w := range x.wants {
		now := m.milestones[w.id]
		if w.cancel {
			now.state = Cancelled
			continue
		}
		if w.moves {
			now.due = w.due
		}
		if w.renames {
			now.title = w.title
		}
		if w.changes {
			now.owner, now.waived = w.owner, nil
		}
		now.base = now.due
	}
	return true
}

// compare requires the project to match the model.
func (m *planModel) compare(t *rapid.T, state State) {
	project := state.Project(planRef())
	require.Equal(t, m.stage, project.Stage)
	require.Equal(t, m.lead, project.Lead)
	require.Equal(t, m.partners, project.Participants)
	open := []paperCall{}
	for _, call := range project.Calls {
		open = append(open, paperCall{call.Move, call.Partner, call.Lead, call.Leaving, endings(call.Dispositions)})
	}
	require.ElementsMatch(t, m.calls, open)
	for id, want := range m.milestones {
		milestone := state.Milestone(m.ref(id))
		require.Equal(t, want.state, milestone.State)
		require.Equal(t, want.owner, milestone.Plan.Owner)
		require.Equal(t, want.title, milestone.Plan.Title)
		require.Equal(t, want.due, milestone.Plan.DueOn)
		require.Equal(t, want.base, milestone.BaselineOn)
	}
	require.Len(t, project.Changes, len(m.changes))
	for i, want := range m.changes {
		require.Equal(t, want.state, project.Changes[i].State)
		require.ElementsMatch(t, want.approved, project.Changes[i].Approvals)
	}
}
