package domain

import (
	"slices"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// plans returns the milestones as they are.
func (w *watch) plans() map[MilestoneRef]Milestone {
	all := map[MilestoneRef]Milestone{}
	for ref, r := range w.ledger.plain.milestones {
		all[ref] = *r.value
	}
	return all
}

// agreedHolds checks that what is agreed changes only with the approval of all whom it concerns (R15).
func (w *watch) agreedHolds(ref MilestoneRef, e Event, before Milestone) {
	switch p := e.Payload.(type) {
	case MilestoneEdited:
		if before.BaselineOn != 0 {
			require.Equal(w.t, p.From.agreed(), p.To.agreed(), "R15")
		}
	case MilestoneCancelled:
		require.True(w.t, before.BaselineOn == 0 || p.Change != 0, "R15")
		w.approved(ref, p.Change, before.Plan.agreed())
	case MilestoneAgreed:
		require.Equal(w.t, before.Plan.agreed(), p.From)
		require.Equal(w.t, before.BaselineOn, p.BaselineFrom)
		w.approved(ref, p.Change, p.From, p.To)
	case MilestonePublished:
		require.False(w.t, before.Public, "R17: it becomes public once")
		require.Equal(w.t, Shared, before.Audience, "R17")
		project := w.ledger.plain.Project(ref.ProjectRef())
		require.Subset(w.t, project.Change(p.Change).Approvals, project.Participants, "R17: every participant approved it")
	}
}

func (w *watch) approved(ref MilestoneRef, change int, plans ...AgreedPlan) {
	if change == 0 {
		return
	}
	c := w.ledger.plain.Project(ref.ProjectRef()).Change(change)
	require.Equal(w.t, ChangeAgreed, c.State)
	for _, p := range plans {
		require.Subset(w.t, c.Approvals, append([]PartnerID{p.Owner}, p.Acceptors...), "R15")
	}
}

// changesHold checks what is true of the requests of a project at any time (R15).
func (w *watch) changesHold(p *Project) {
	for i, c := range p.Changes {
		require.Equal(w.t, i+1, c.Number, "R15: numbers are dense")
		require.Equal(w.t, c.State == ChangeOpen, c.DecidedAt == 0)
		_, broken := c.broken(w.ledger.plain, p.Ref)
		require.False(w.t, c.State == ChangeOpen && broken, "R15: what lost its ground is void")
		if c.State == ChangeOpen {
			waiting := slices.ContainsFunc(p.Participants, func(x PartnerID) bool { return c.Awaits(x, w.ledger.plain, p.Ref) })
			require.True(w.t, waiting, "R15: an open request waits for somebody")
		}
	}
}

func drawChange(t *rapid.T, ref ProjectRef) Command {
	number := rapid.IntRange(0, 4).Draw(t, "change")
	switch rapid.IntRange(0, 6).Draw(t, "change control") {
	case 0, 1:
		return ProposeChange{ref, "", drawText.Draw(t, "reason"), drawWanted(t), drawPublished(t)}
	case 2:
		return RejectChange{ref, number, drawText.Draw(t, "reason")}
	case 3:
		return WithdrawChange{ref, number}
	}
	return ApproveChange{ref, number}
}

// drawPublished draws none most of the time.
func drawPublished(t *rapid.T) (list []MilestoneID) {
	for range max(0, rapid.IntRange(-4, 2).Draw(t, "published")) {
		list = append(list, drawID.Draw(t, "to publish"))
	}
	return list
}

func drawWanted(t *rapid.T) (list []WantedChange) {
	for range rapid.IntRange(0, 2).Draw(t, "milestones") {
		w := WantedChange{Milestone: drawID.Draw(t, "milestone")}
		switch rapid.IntRange(0, 5).Draw(t, "wanted") {
		case 0:
			w.Cancel = true
		case 1:
			w.To.Owner, w.To.Acceptors = drawOwner.Draw(t, "owner"), drawPartners(t, "acceptors")
		case 2:
			w.To.Criteria = maybe(t, rapid.SliceOfN(drawText, 0, 2), "criteria")
		default:
			w.To.DueOn = drawDate.Draw(t, "due")
		}
		list = append(list, w)
	}
	return list
}
