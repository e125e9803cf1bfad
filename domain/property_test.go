package domain

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// With random commands of random partners the rules hold, and every way to fold the history agrees.
func TestRulesHoldForRandomCommands(t *testing.T) {
	for name, partners := range map[string][]PartnerID{
		"two partners":   {"nokia", "xiaomi"},
		"three partners": {"nokia", "xiaomi", "zte"},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				w := newWatch(t, partners)
				for range rapid.IntRange(10, 60).Draw(t, "length") {
					w.step(drawCommand(t, partners), drawMeta(t, w.ledger, partners))
				}
				w.ledger.check()
			})
		})
	}
}

// R10: a single partner never finishes a milestone that others accept.
func TestOnePartnerCannotFinishAMilestone(t *testing.T) {
	partners := []PartnerID{"nokia", "xiaomi", "zte"}
	rapid.Check(t, func(t *rapid.T) {
		w := newWatch(t, partners)
		alone := rapid.SampledFrom(partners).Draw(t, "alone")
		for range rapid.IntRange(10, 60).Draw(t, "length") {
			dc := drawMeta(t, w.ledger, partners)
			dc.Actor = Actor{Partner: alone, Member: "m", Role: Manager, MaySign: true}
			w.step(drawCommand(t, partners), dc)
		}
		for _, x := range w.ledger.plain.milestones {
			require.NotEqual(t, Accepted, x.value.State)
		}
	})
}

// watch checks a ledger and follows the rounds of each milestone.
type watch struct {
	t      *rapid.T
	ledger *ledger
	rounds map[MilestoneRef]*round
}

// round is the partner that delivered last, and the partners that accepted.
type round struct {
	deliverer PartnerID
	accepted  []PartnerID
}

// watchDays is the acceptance period of the watched agreement.
const watchDays = 10

// newWatch starts with a signed agreement, an active project and an exploration.
func newWatch(t *rapid.T, partners []PartnerID) *watch {
	w := &watch{t: t, ledger: newLedger(t), rounds: map[MilestoneRef]*round{}}
	by := func(partner PartnerID) DecisionContext {
		return DecisionContext{Actor: Actor{Partner: partner, Member: "m", Role: Manager, MaySign: true}, At: time.Unix(1515369600, 0).UTC(), Today: 2018_01_08}
	}
	w.step(DraftAgreement{"a", Terms{Title: "A", Parties: partners, EffectiveOn: 2018_01_01, ExpiresOn: 2018_12_31, AcceptanceDays: watchDays}}, by("nokia"))
	w.step(AddInstrument{"a", Instrument{
		ID: "i", Kind: Supply, Title: "I", Roles: map[RoleName][]PartnerID{Supplier: {"nokia"}, Customer: {"xiaomi"}},
		EffectiveOn: 2018_01_01, Disclosure: Disclosed, Schedule: []ScheduleItem{{ID: "lot", Title: "Lot"}},
	}}, by("nokia"))
	for _, partner := range partners {
		w.step(SignAgreement{AgreementID: "a", Signatory: "S"}, by(partner))
	}
	w.step(CreateProject{ProjectRef: ProjectRef{"a", "p"}, Title: "P", Stage: Committed, Lead: "nokia", Participants: partners}, by("nokia"))
	for _, partner := range partners[1:] {
		w.step(CallStage{ProjectRef: ProjectRef{"a", "p"}, Move: MoveCommit}, by(partner))
	}
	w.step(CreateProject{
		ProjectRef: ProjectRef{"a", "q"}, Title: "Q", Stage: Exploring, Lead: "xiaomi",
		Participants: []PartnerID{"nokia", "xiaomi"}, DecideBy: 2018_06_30,
	}, by("nokia"))
	w.step(PlanMilestone{MilestoneRef: MilestoneRef{"a", "p", "m"}, Plan: Plan{
		Title: "M", Owner: "nokia", DueOn: 2018_03_30, Instrument: "i", ScheduleItem: "lot",
	}}, by("nokia"))
	w.step(StartMilestone{MilestoneRef{"a", "p", "m"}}, by("nokia"))
	return w
}

func (w *watch) step(command Command, dc DecisionContext) {
	before := w.plans()
	events, refusal := w.ledger.do(command, dc)
	if refusal != nil {
		return
	}
	require.NotEmpty(w.t, events, "a command either says why not or causes something")
	for _, event := range events {
		ref := MilestoneRef{command.Stream().Agreement, command.Stream().Project, MilestoneID(event.Subject)}
		w.follow(ref, event, dc)
		w.agreedHolds(ref, event, before[ref])
	}
	w.planHolds(before, command.Stream(), events)
	for ref, entry := range w.ledger.plain.milestones {
		w.holds(ref, entry.value)
	}
	for ref, r := range w.ledger.plain.projects {
		agreement, project := w.ledger.plain.Agreement(ref.Agreement), r.value
		require.True(w.t, project.Participant(project.Lead), "R6")
		for _, partner := range project.Participants {
			require.True(w.t, agreement.Party(partner), "R6")
		}
		w.changesHold(project)
	}
}

func (w *watch) follow(ref MilestoneRef, event Event, dc DecisionContext) {
	require.Equal(w.t, Manager, dc.Actor.Role, "only managers change anything")
	switch payload := event.Payload.(type) {
	case MilestoneDelivered:
		w.rounds[ref] = &round{deliverer: dc.Actor.Partner}
	case MilestoneAccepted:
		require.Equal(w.t, dc.Actor.Partner, payload.Acceptor)
		w.rounds[ref].accepted = append(w.rounds[ref].accepted, payload.Acceptor)
	case ConditionClosed, ConditionRefusedByAuthor, ConditionReportedMet, CriterionChecked:
		w.followCondition(ref, payload, dc.Actor.Partner)
	case MilestoneDisputed:
		if payload.Condition == 0 {
			w.rounds[ref] = &round{deliverer: dc.Actor.Partner}
		}
	case OutcomeNamed, MilestoneSettled:
		w.followSettlement(ref, payload)
	case AssessmentReported, EvidenceKept, InstrumentNoted:
		require.Equal(w.t, PrivateTo(dc.Actor.Partner), event.Audience, "R16")
	case ItemMoved:
		w.followItem(payload, dc.Actor.Partner)
	case ChangeApproved:
		require.Equal(w.t, dc.Actor.Partner, payload.Partner, "R15")
	case DeliveryWithdrawn, MilestoneRejected:
		delete(w.rounds, ref)
	}
}

// followSettlement counts the acceptances of a settled dispute.
func (w *watch) followSettlement(ref MilestoneRef, payload Payload) {
	switch payload := payload.(type) {
	case MilestoneSettled:
		if payload.Condition != 0 {
			w.rounds[ref].accepted = append(w.rounds[ref].accepted, payload.Acceptors...)
		}
	case OutcomeNamed:
		if payload.Condition == 0 && payload.Settlement == SettledAccepted && payload.Partner != w.ledger.plain.Milestone(ref).Plan.Owner {
			w.rounds[ref].accepted = append(w.rounds[ref].accepted, payload.Partner)
		}
	}
}

// followCondition checks who acted on a condition or a criterion.
func (w *watch) followCondition(ref MilestoneRef, payload Payload, actor PartnerID) {
	switch payload := payload.(type) {
	case ConditionClosed:
		require.Equal(w.t, actor, payload.Author, "R12")
	case ConditionRefusedByAuthor:
		require.Equal(w.t, actor, payload.Author, "R12")
	case ConditionReportedMet:
		require.Equal(w.t, actor, w.ledger.plain.Milestone(ref).Plan.Owner, "R12")
	case CriterionChecked:
		require.Equal(w.t, actor, payload.Partner)
	}
}

func (w *watch) followItem(payload ItemMoved, actor PartnerID) {
	require.Equal(w.t, ItemPlanned, payload.From, "an item never goes back")
	require.Contains(w.t, []PartnerID{"nokia", "xiaomi"}, actor, "a partner with a role")
	accepted := func(entry row[Milestone]) bool {
		return entry.value.State == Accepted && entry.value.Plan.ScheduleItem == payload.Item
	}
	require.True(w.t, slices.ContainsFunc(slices.Collect(maps.Values(w.ledger.plain.milestones)), accepted), "through its milestones")
}

// holds checks the invariants of a milestone.
func (w *watch) holds(ref MilestoneRef, milestone *Milestone) {
	project := w.ledger.plain.Project(ref.ProjectRef())
	require.NotContains(w.t, milestone.Plan.Acceptors, milestone.Plan.Owner, "R9: an owner never accepts")
	require.True(w.t, project.Participant(milestone.Plan.Owner), "R9")
	for _, a := range milestone.Plan.Acceptors {
		require.True(w.t, project.Participant(a), "R9")
	}
	if owner, private := milestone.Audience.Private(); private {
		require.Equal(w.t, owner, milestone.Plan.Owner, "R16")
		require.Empty(w.t, milestone.Plan.Acceptors, "R16")
		require.Zero(w.t, milestone.Round, "R16: nothing private is delivered")
		require.Zero(w.t, milestone.BaselineOn, "R15: nothing private is agreed")
		return
	}
	require.NotEmpty(w.t, milestone.Plan.Acceptors, "R9")
	require.True(w.t, milestone.BaselineOn == 0 || milestone.BaselineOn == milestone.Plan.DueOn, "R15")
	if milestone.State == Delivered || milestone.State == ConditionallyAccepted || milestone.State == Accepted {
		require.True(w.t, project.Stage != Exploring || milestone.Plan.ScheduleItem == "", "R8")
		require.Equal(w.t, milestone.Plan.Owner, w.rounds[ref].deliverer, "R10")
	}
	if milestone.State == Accepted {
		require.Subset(w.t, w.rounds[ref].accepted, milestone.Plan.Acceptors, "R11: all accepted this delivery")
	}
	w.conditionsHold(milestone)
	for _, check := range milestone.Checks {
		require.LessOrEqual(w.t, check.Number, len(milestone.Plan.Criteria), "results are dropped with their criteria")
	}
	require.Equal(w.t, milestone.State == Disputed, milestone.Dispute != nil, "R12")
	if milestone.State == Waived {
		require.ElementsMatch(w.t, milestone.Plan.Acceptors, milestone.Waivers, "all acceptors waived")
	}
}

// conditionsHold checks that an acceptance is conditional exactly while one of its conditions is open (R12).
func (w *watch) conditionsHold(milestone *Milestone) {
	for _, decision := range milestone.Decisions {
		open := milestone.openConditions(decision.Partner)
		require.Equal(w.t, decision.State == DecisionConditional, len(open) > 0, "R12")
		for _, condition := range open {
			require.GreaterOrEqual(w.t, condition.DueOn, milestone.DeliveredOn, "R12")
		}
	}
	for i, condition := range milestone.Conditions {
		require.Contains(w.t, milestone.Plan.Acceptors, condition.Author, "R12")
		require.LessOrEqual(w.t, condition.Number, milestone.LastConditionNumber, "R12")
		require.True(w.t, i == 0 || milestone.Conditions[i-1].Number < condition.Number, "R12: numbers are given once")
	}
}

func drawMeta(t *rapid.T, l *ledger, partners []PartnerID) DecisionContext {
	who := slices.Concat(partners, []PartnerID{"huawei", ""})
	day := rapid.SampledFrom([]Date{2018_02_01, 2018_02_02, 2018_03_30, 2019_01_01}).Draw(t, "day")
	dc := DecisionContext{At: later(l.at, day.Time()), Today: day}
	dc.Actor = Actor{Partner: rapid.SampledFrom(who).Draw(t, "partner"), Member: "m", Role: Manager, MaySign: true}
	switch rapid.IntRange(0, 19).Draw(t, "role") {
	case 0:
		dc.Actor.Role = Viewer
	case 1:
		dc.Actor.Role = System
	}
	if dc.Actor.Partner == "" {
		dc.Actor.Role = Operator
	}
	if rapid.IntRange(0, 9).Draw(t, "conditional") == 0 {
		dc.IfMatch = new(rapid.Uint64Range(0, 9).Draw(t, "version"))
	}
	return dc
}

var (
	drawTitle = rapid.SampledFrom([]string{"M", "40 routers delivered", "1 router shown"})
	drawText  = rapid.SampledFrom([]string{"", "late", "比预期晚", "a \"quoted\"\nline & more"})
	drawDate  = rapid.SampledFrom([]Date{0, 2018_02_01, 2018_03_30, 2019_06_30})
	drawID    = rapid.SampledFrom([]MilestoneID{"m", "m", "m", "n", "o-k3v9", "", "Bad Id"})
	drawOwner = rapid.SampledFrom([]PartnerID{"nokia", "xiaomi", "zte"})
)

func drawPartners(t *rapid.T, label string) []PartnerID {
	return rapid.SampledFrom([][]PartnerID{
		nil, {}, {"nokia"}, {"xiaomi"}, {"zte"}, {"nokia", "xiaomi"}, {"xiaomi", "zte"}, {"zte", "nokia"},
	}).Draw(t, label)
}

// maybe draws a pointer that is nil half the time.
func maybe[T any](t *rapid.T, g *rapid.Generator[T], label string) *T {
	if rapid.Bool().Draw(t, label+" given") {
		return new(g.Draw(t, label))
	}
	return nil
}

func drawCommand(t *rapid.T, partners []PartnerID) Command {
	project := ProjectRef{"a", rapid.SampledFrom([]ProjectID{"p", "p", "p", "q", "none"}).Draw(t, "project")}
	ref := MilestoneRef{project.Agreement, project.Project, drawID.Draw(t, "milestone")}
	switch rapid.IntRange(0, 4).Draw(t, "sort") {
	case 0:
		return drawPlanning(t, ref)
	case 1:
		return drawWork(t, ref)
	case 2:
		return drawDecision(t, ref)
	case 3:
		return drawChange(t, project)
	}
	return drawProjectCommand(t, project, partners)
}

func drawPlanning(t *rapid.T, ref MilestoneRef) Command {
	switch rapid.IntRange(0, 3).Draw(t, "planning") {
	case 0:
		return PlanMilestone{ref, Plan{
			Title: "M", Owner: drawOwner.Draw(t, "owner"), Acceptors: drawPartners(t, "acceptors"),
			DueOn: drawDate.Draw(t, "due"), Description: drawText.Draw(t, "description"),
			Instrument: "i", ScheduleItem: rapid.SampledFrom([]ItemID{"", "lot"}).Draw(t, "item"),
		}, rapid.Bool().Draw(t, "private")}
	case 1:
		c := EditMilestone{
			MilestoneRef: ref, Owner: maybe(t, drawOwner, "owner"), DueOn: maybe(t, drawDate, "due"),
			Title: maybe(t, drawTitle, "title"), Description: maybe(t, drawText, "description"),
			ScheduleItem: maybe(t, rapid.SampledFrom([]ItemID{"", "lot"}), "item"),
			Criteria:     maybe(t, rapid.SliceOfN(drawText, 0, 2), "criteria"),
		}
		if rapid.Bool().Draw(t, "acceptors given") {
			c.Acceptors = new(drawPartners(t, "acceptors"))
		}
		return c
	case 2:
		return ShareMilestone{ref, drawPartners(t, "acceptors")}
	}
	return CancelMilestone{ref, drawText.Draw(t, "reason")}
}

func drawWork(t *rapid.T, ref MilestoneRef) Command {
	switch rapid.IntRange(0, 5).Draw(t, "work") {
	case 0:
		return StartMilestone{ref}
	case 1:
		return ReportProgress{
			ref, maybe(t, rapid.IntRange(-1, 101), "percent"),
			maybe(t, rapid.SampledFrom([]Health{Green, Amber, Red, "blue"}), "health"), maybe(t, drawText, "note"),
			rapid.Bool().Draw(t, "private"),
		}
	case 2:
		return MoveForecast{ref, drawDate.Draw(t, "on"), drawText.Draw(t, "reason"), rapid.Bool().Draw(t, "private")}
	case 3:
		return WithdrawDelivery{ref, ""}
	case 4:
		return CompleteMilestone{ref, drawDate.Draw(t, "on"), drawText.Draw(t, "reason")}
	}
	return DeliverMilestone{MilestoneRef: ref, On: drawDate.Draw(t, "on"), Reason: drawText.Draw(t, "reason"), PrivateEvidence: drawKept(t)}
}

func drawDecision(t *rapid.T, ref MilestoneRef) Command {
	switch rapid.IntRange(0, 13).Draw(t, "decision") {
	case 0, 1:
		return AcceptMilestone{ref, drawText.Draw(t, "note"), drawRequirements(t)}
	case 2:
		return RejectMilestone{ref, rapid.SliceOfN(drawText, 0, 2).Draw(t, "reasons"), drawKept(t)}
	case 3:
		return WaiveMilestone{ref, "not needed"}
	case 4:
		return CommentMilestone{ref, drawText.Draw(t, "text"), rapid.Bool().Draw(t, "private")}
	case 5:
		return DisputeMilestone{ref, drawText.Draw(t, "reason"), max(0, rapid.IntRange(-4, 4).Draw(t, "condition"))}
	case 6, 7:
		return SettleMilestone{ref, rapid.SampledFrom([]Settlement{SettledAccepted, SettledAccepted, SettledRejected, "maybe"}).Draw(t, "outcome"), drawText.Draw(t, "note")}
	case 8:
		return CloseCondition{ref, rapid.IntRange(0, 4).Draw(t, "number")}
	case 9, 10:
		return MeetCondition{ref, rapid.IntRange(0, 4).Draw(t, "number"), drawText.Draw(t, "note"), drawKept(t)}
	case 11:
		return RefuseCondition{ref, rapid.IntRange(0, 4).Draw(t, "number"), drawText.Draw(t, "reason"), drawKept(t)}
	case 12:
		return CheckCriterion{ref, rapid.IntRange(0, 3).Draw(t, "number"), rapid.SampledFrom([]CheckResult{CriterionMet, CriterionNotMet, "maybe"}).Draw(t, "result"), drawText.Draw(t, "note"), drawKept(t)}
	}
	return DeliverMilestone{MilestoneRef: ref}
}

// drawKept draws private evidence half the time.
func drawKept(t *rapid.T) []Evidence {
	if rapid.Bool().Draw(t, "kept") {
		return []Evidence{{Title: "Yield", URL: "https://files.example/yield"}}
	}
	return nil
}

// drawRequirements draws none half the time.
func drawRequirements(t *rapid.T) []Requirement {
	var list []Requirement
	for range max(0, rapid.IntRange(-2, 2).Draw(t, "conditions")) {
		list = append(list, Requirement{drawText.Draw(t, "condition"), drawDate.Draw(t, "condition due"), drawKept(t)})
	}
	return list
}

func drawProjectCommand(t *rapid.T, ref ProjectRef, partners []PartnerID) Command {
	switch rapid.IntRange(0, 7).Draw(t, "project command") {
	case 6:
		return NoteInstrument{"a", "i", drawText.Draw(t, "note")}
	case 7:
		return EditProject{ProjectRef: ref, Participants: &partners}
	case 5:
		return MoveItem{
			AgreementID: "a", Instrument: "i", Item: "lot", State: rapid.SampledFrom([]ItemState{ItemDelivered, ItemDelivered, ItemRecorded}).Draw(t, "item state"),
		}
	case 0:
		return EditProject{
			ProjectRef: ref, Title: maybe(t, drawText, "title"), Area: maybe(t, drawText, "area"), DecideBy: maybe(t, drawDate, "decide by"),
		}
	case 1:
		return CreateProject{
			ProjectRef: ProjectRef{"a", "r"}, Title: "R", Stage: Committed, Lead: drawOwner.Draw(t, "lead"), Participants: drawPartners(t, "participants"),
		}
	case 2:
		return EditAgreement{AgreementID: "a", Parties: &partners}
	}
	call := CallStage{
		ProjectRef: ref, Reason: drawText.Draw(t, "reason"), Withdraw: rapid.SampledFrom([]bool{false, false, true}).Draw(t, "withdraw"),
		Move: rapid.SampledFrom([]StageMove{
			MoveCommit, MoveDecline, MoveStart, MovePause, MoveResume, MoveComplete, MoveStop, MoveDecideBy, MoveChangeLead, MoveLeave, MoveEdit, "hop",
		}).Draw(t, "move"),
	}
	switch call.Move {
	case MoveDecideBy:
		call.DecideBy = rapid.SampledFrom([]Date{0, 2018_09_30}).Draw(t, "decide by")
	case MoveComplete, MoveStop:
		call.Dispositions = rapid.SampledFrom([][]Disposition{nil, {{Milestone: "m", State: Cancelled}}, {{Milestone: "m", State: Waived}}}).Draw(t, "dispositions")
	case MoveChangeLead:
		call.Lead = drawOwner.Draw(t, "lead")
	case MoveLeave:
		call.Leaving = rapid.SampledFrom([]PartnerID{"", "zte", "zte"}).Draw(t, "leaving")
	}
	return call
}
