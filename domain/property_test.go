package domain

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Random partners do random things; whatever they do, the rules hold and every way of keeping the
// history agrees.
func TestRulesHoldWhateverPartnersDo(t *testing.T) {
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

// R10: one partner alone, whichever it is, never finishes a milestone that others accept.
func TestNobodyFinishesAlone(t *testing.T) {
	partners := []PartnerID{"nokia", "xiaomi", "zte"}
	rapid.Check(t, func(t *rapid.T) {
		w := newWatch(t, partners)
		alone := rapid.SampledFrom(partners).Draw(t, "alone")
		for range rapid.IntRange(10, 60).Draw(t, "length") {
			m := drawMeta(t, w.ledger, partners)
			m.Actor = Actor{Partner: alone, Member: "m", Role: Manager}
			w.step(drawCommand(t, partners), m)
		}
		for _, x := range w.ledger.plain.milestones {
			require.NotEqual(t, Accepted, x.value.State)
		}
	})
}

// watch keeps a ledger and follows who did what to each milestone.
type watch struct {
	t      *rapid.T
	ledger *ledger
	rounds map[MilestoneRef]*round
}

// round is who delivered last, and who accepted that.
type round struct {
	deliverer PartnerID
	accepted  []PartnerID
}

// watchDays is the acceptance period of the watched agreement.
const watchDays = 10

// newWatch begins with a signed agreement, an active project and an exploration.
func newWatch(t *rapid.T, partners []PartnerID) *watch {
	w := &watch{t: t, ledger: newLedger(t), rounds: map[MilestoneRef]*round{}}
	by := func(p PartnerID) Meta {
		return Meta{Actor: Actor{Partner: p, Member: "m", Role: Manager}, At: time.Unix(1515369600, 0).UTC(), Today: 2018_01_08}
	}
	w.step(DraftAgreement{"a", Terms{Title: "A", Parties: partners, EffectiveOn: 2018_01_01, ExpiresOn: 2018_12_31, AcceptanceDays: watchDays}}, by("nokia"))
	w.step(AddInstrument{"a", Instrument{
		ID: "i", Kind: Supply, Title: "I", Roles: map[RoleName][]PartnerID{Supplier: {"nokia"}, Customer: {"xiaomi"}},
		EffectiveOn: 2018_01_01, Disclosure: Disclosed, Schedule: []ScheduleItem{{ID: "lot", Title: "Lot"}},
	}}, by("nokia"))
	for _, p := range partners {
		w.step(SignAgreement{ID: "a"}, by(p))
	}
	w.step(CreateProject{Ref: ProjectRef{"a", "p"}, Title: "P", Stage: Committed, Lead: "nokia", Participants: partners}, by("nokia"))
	w.step(CreateProject{
		Ref: ProjectRef{"a", "q"}, Title: "Q", Stage: Exploring, Lead: "xiaomi",
		Participants: []PartnerID{"nokia", "xiaomi"}, DecideBy: 2018_06_30,
	}, by("nokia"))
	w.step(PlanMilestone{Ref: MilestoneRef{"a", "p", "m"}, Plan: Plan{
		Title: "M", Owner: "nokia", DueOn: 2018_03_30, Instrument: "i", ScheduleItem: "lot",
	}}, by("nokia"))
	w.step(StartMilestone{MilestoneRef{"a", "p", "m"}}, by("nokia"))
	return w
}

func (w *watch) step(c Command, m Meta) {
	before := w.plans()
	events, refusal := w.ledger.do(c, m)
	if refusal != nil {
		return
	}
	require.NotEmpty(w.t, events, "a command either says why not or causes something")
	for _, e := range events {
		ref := MilestoneRef{c.Stream().Agreement, c.Stream().Project, MilestoneID(e.Subject)}
		w.follow(ref, e, m)
		w.agreedHolds(ref, e, before[ref])
	}
	for ref, r := range w.ledger.plain.milestones {
		w.holds(ref, r.value)
	}
	for ref, r := range w.ledger.plain.projects {
		a, p := w.ledger.plain.Agreement(ref.Agreement), r.value
		require.True(w.t, p.Participant(p.Lead), "R6")
		for _, x := range p.Participants {
			require.True(w.t, a.Party(x), "R6")
		}
		w.changesHold(p)
	}
}

func (w *watch) follow(ref MilestoneRef, e Event, m Meta) {
	require.Equal(w.t, Manager, m.Actor.Role, "only managers change anything")
	switch p := e.Payload.(type) {
	case MilestoneDelivered:
		w.rounds[ref] = &round{deliverer: m.Actor.Partner}
	case MilestoneAccepted:
		require.Equal(w.t, m.Actor.Partner, p.Acceptor)
		w.rounds[ref].accepted = append(w.rounds[ref].accepted, p.Acceptor)
	case ConditionClosed:
		require.Equal(w.t, m.Actor.Partner, p.Author, "R12")
	case MilestoneDisputed:
		w.rounds[ref] = &round{deliverer: m.Actor.Partner}
	case OutcomeNamed:
		if p.Outcome == SettledAccepted && p.Partner != w.ledger.plain.Milestone(ref).Plan.Owner {
			w.rounds[ref].accepted = append(w.rounds[ref].accepted, p.Partner)
		}
	case MilestoneAssessed, EvidenceKept, InstrumentNoted:
		require.Equal(w.t, PrivateTo(m.Actor.Partner), e.Audience, "R16")
	case ItemMoved:
		require.Equal(w.t, ItemPlanned, p.From, "nothing goes back")
		require.Contains(w.t, []PartnerID{"nokia", "xiaomi"}, m.Actor.Partner, "a partner with a role")
		accepted := func(r row[Milestone]) bool { return r.value.State == Accepted && r.value.Plan.ScheduleItem == p.Item }
		require.True(w.t, slices.ContainsFunc(slices.Collect(maps.Values(w.ledger.plain.milestones)), accepted), "through its milestones")
	case ChangeApproved:
		require.Equal(w.t, m.Actor.Partner, p.Partner, "R15")
	case DeliveryWithdrawn, MilestoneRejected:
		delete(w.rounds, ref)
	}
}

// holds checks what is true of every milestone at any time.
func (w *watch) holds(ref MilestoneRef, x *Milestone) {
	p := w.ledger.plain.Project(ref.ProjectRef())
	require.NotContains(w.t, x.Plan.Acceptors, x.Plan.Owner, "R9: an owner never accepts")
	require.True(w.t, p.Participant(x.Plan.Owner), "R9")
	for _, a := range x.Plan.Acceptors {
		require.True(w.t, p.Participant(a), "R9")
	}
	if owner, private := x.Audience.Private(); private {
		require.Equal(w.t, owner, x.Plan.Owner, "R16")
		require.Empty(w.t, x.Plan.Acceptors, "R16")
		require.Zero(w.t, x.Round, "R16: nothing private is delivered")
		require.Zero(w.t, x.BaselineOn, "R15: nothing private is agreed")
		return
	}
	require.NotEmpty(w.t, x.Plan.Acceptors, "R9")
	require.True(w.t, x.BaselineOn == 0 || x.BaselineOn == x.Plan.DueOn, "R15")
	if x.State == Delivered || x.State == ConditionallyAccepted || x.State == Accepted {
		require.NotEqual(w.t, Exploring, p.Stage, "R8")
		require.Equal(w.t, x.Plan.Owner, w.rounds[ref].deliverer, "R10")
	}
	if x.State == Accepted {
		require.Subset(w.t, w.rounds[ref].accepted, x.Plan.Acceptors, "R11: all accepted this delivery")
	}
	w.conditionsHold(x)
	require.Equal(w.t, x.State == Disputed, x.Dispute != nil, "R12")
	if x.State == Waived {
		require.ElementsMatch(w.t, x.Plan.Acceptors, x.Waivers, "all acceptors waived")
	}
}

// conditionsHold checks that an acceptor has said yes on conditions for as long as one of its own is
// open (R12).
func (w *watch) conditionsHold(x *Milestone) {
	for _, d := range x.Decisions {
		open := x.OpenConditions(d.Partner)
		require.Equal(w.t, d.State == DecisionConditional, len(open) > 0, "R12")
		for _, c := range open {
			require.GreaterOrEqual(w.t, c.DueOn, x.DeliveredOn, "R12")
		}
	}
	for i, c := range x.Conditions {
		require.Contains(w.t, x.Plan.Acceptors, c.Author, "R12")
		require.LessOrEqual(w.t, c.Number, x.LastCondition, "R12")
		require.True(w.t, i == 0 || x.Conditions[i-1].Number < c.Number, "R12: numbers are given once")
	}
}

func drawMeta(t *rapid.T, l *ledger, partners []PartnerID) Meta {
	who := slices.Concat(partners, []PartnerID{"huawei", ""})
	day := rapid.SampledFrom([]Date{2018_02_01, 2018_02_02, 2018_03_30, 2019_01_01}).Draw(t, "day")
	m := Meta{At: later(l.at, day.Time()), Today: day}
	m.Actor = Actor{Partner: rapid.SampledFrom(who).Draw(t, "partner"), Member: "m", Role: Manager}
	switch rapid.IntRange(0, 19).Draw(t, "role") {
	case 0:
		m.Actor.Role = Viewer
	case 1:
		m.Actor.Role = System
	}
	if m.Actor.Partner == "" {
		m.Actor.Role = Operator
	}
	if rapid.IntRange(0, 9).Draw(t, "conditional") == 0 {
		m.IfMatch = new(rapid.Uint64Range(0, 9).Draw(t, "version"))
	}
	return m
}

var (
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
			Ref: ref, Owner: maybe(t, drawOwner, "owner"), DueOn: maybe(t, drawDate, "due"),
			Description: maybe(t, drawText, "description"),
			Criteria:    maybe(t, rapid.SliceOfN(drawText, 0, 2), "criteria"),
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
	switch rapid.IntRange(0, 4).Draw(t, "work") {
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
		return WithdrawDelivery{ref}
	}
	return DeliverMilestone{Ref: ref, On: drawDate.Draw(t, "on"), Kept: drawKept(t)}
}

func drawDecision(t *rapid.T, ref MilestoneRef) Command {
	switch rapid.IntRange(0, 9).Draw(t, "decision") {
	case 0, 1:
		return AcceptMilestone{ref, drawText.Draw(t, "note"), drawRequirements(t)}
	case 2:
		return RejectMilestone{ref, rapid.SliceOfN(drawText, 0, 2).Draw(t, "reasons")}
	case 3:
		return WaiveMilestone{ref}
	case 4:
		return CommentMilestone{ref, drawText.Draw(t, "text"), rapid.Bool().Draw(t, "private")}
	case 5:
		return DisputeMilestone{ref, drawText.Draw(t, "reason")}
	case 6, 7:
		return SettleMilestone{ref, rapid.SampledFrom([]Outcome{SettledAccepted, SettledAccepted, SettledRejected, "maybe"}).Draw(t, "outcome"), drawText.Draw(t, "note")}
	case 8:
		return CloseCondition{ref, rapid.IntRange(0, 4).Draw(t, "number")}
	}
	return DeliverMilestone{Ref: ref}
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
		list = append(list, Requirement{drawText.Draw(t, "condition"), drawDate.Draw(t, "condition due")})
	}
	return list
}

func drawProjectCommand(t *rapid.T, ref ProjectRef, partners []PartnerID) Command {
	switch rapid.IntRange(0, 7).Draw(t, "project command") {
	case 6:
		return NoteInstrument{"a", "i", drawText.Draw(t, "note")}
	case 7:
		return EditProject{Ref: ref, Participants: &partners}
	case 5:
		return MoveItem{"a", "i", "lot", rapid.SampledFrom([]ItemState{ItemDelivered, ItemDelivered, ItemRecorded}).Draw(t, "item state")}
	case 0:
		return EditProject{
			Ref: ref, Title: maybe(t, drawText, "title"), Area: maybe(t, drawText, "area"), DecideBy: maybe(t, drawDate, "decide by"),
		}
	case 1:
		return CreateProject{
			Ref: ProjectRef{"a", "r"}, Title: "R", Stage: Committed, Lead: drawOwner.Draw(t, "lead"), Participants: drawPartners(t, "participants"),
		}
	case 2:
		return EditAgreement{ID: "a", Parties: &partners}
	}
	return CallStage{
		ref, rapid.SampledFrom([]Move{Commit, Start, Pause, Resume, Complete, Stop, MoveDecideBy, "hop"}).Draw(t, "move"),
		drawText.Draw(t, "reason"), rapid.SampledFrom([]Date{0, 0, 0, 2018_09_30}).Draw(t, "decide by"), nil,
		rapid.SampledFrom([]bool{false, false, true}).Draw(t, "withdraw"),
	}
}
