package domain

import (
	"slices"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// plans returns copies of the milestones.
func (w *watch) plans() map[MilestoneRef]Milestone {
	all := map[MilestoneRef]Milestone{}
	for ref, entry := range w.ledger.plain.milestones {
		all[ref] = *entry.value
	}
	return all
}

// planHolds checks that an agreed plan changes only by its agreement (R15), whichever command was decided.
func (w *watch) planHolds(before map[MilestoneRef]Milestone, stream Stream, events []Event) {
	for ref, was := range before {
		agreed := slices.ContainsFunc(events, func(event Event) bool {
			_, agreed := event.Payload.(MilestoneAgreed)
			return agreed && ref == MilestoneRef{stream.Agreement, stream.Project, MilestoneID(event.Subject)}
		})
		if was.BaselineOn != 0 && !agreed {
			require.Equal(w.t, was.Plan, w.ledger.plain.Milestone(ref).Plan, "R15")
		}
	}
}

// agreedHolds checks that agreed fields change only with the required approvals (R15).
func (w *watch) agreedHolds(ref MilestoneRef, event Event, before Milestone) {
	switch payload := event.Payload.(type) {
	case MilestoneEdited:
		require.Zero(w.t, before.BaselineOn, "R15: the owner alone edits a plan that is not agreed")
		require.Equal(w.t, before.Plan, payload.From)
	case MilestoneCancelled:
		require.True(w.t, before.BaselineOn == 0 || payload.Change != 0, "R15")
		w.approved(ref, payload.Change, allFields(before.Plan))
	case MilestoneAgreed:
		require.Equal(w.t, allFields(before.Plan), payload.From)
		require.Equal(w.t, before.BaselineOn, payload.BaselineFrom)
		w.approved(ref, payload.Change, payload.From, payload.To)
		for _, proposed := range w.ledger.plain.Project(ref.ProjectRef()).Change(payload.Change).Milestones {
			if proposed.Milestone == ref.Milestone {
				require.Empty(w.t, proposed.changedField(before.Plan), "R15: the partners approved these values")
				require.Equal(w.t, allFields(proposed.To.applyTo(before.Plan)), payload.To, "R15")
				require.True(w.t, before.BaselineOn != 0 || proposed.From.Title != "", "R15: the first request records the whole plan")
			}
		}
	case MilestonePublished:
		require.False(w.t, before.Public, "R17: it becomes public once")
		require.Equal(w.t, Shared, before.Audience, "R17")
		project := w.ledger.plain.Project(ref.ProjectRef())
		require.Subset(w.t, project.Change(payload.Change).Approvals, project.Participants, "R17: every participant approved it")
	}
}

func (w *watch) approved(ref MilestoneRef, change int, plans ...ChangeFields) {
	if change == 0 {
		return
	}
	c := w.ledger.plain.Project(ref.ProjectRef()).Change(change)
	require.Equal(w.t, ChangeStateApproved, c.State)
	for _, p := range plans {
		require.Subset(w.t, c.Approvals, append([]PartnerID{p.Owner}, p.Acceptors...), "R15")
	}
}

// changesHold checks the invariants of a project's change requests (R15).
func (w *watch) changesHold(project *Project) {
	for i, change := range project.Changes {
		require.Equal(w.t, i+1, change.Number, "R15: numbers are dense")
		require.Equal(w.t, change.State == ChangeStateOpen, change.DecidedAt == 0)
		_, broken := change.findVoidGround(w.ledger.plain, project.Ref)
		require.False(w.t, change.State == ChangeStateOpen && broken, "R15: what lost its ground is void")
		if change.State == ChangeStateOpen {
			waiting := slices.ContainsFunc(project.Participants, func(partner PartnerID) bool { return change.Awaits(partner, w.ledger.plain, project.Ref) })
			require.True(w.t, waiting, "R15: an open request waits for a party")
		}
	}
}

func drawChange(t *rapid.T, ref ProjectRef) Command {
	number := rapid.IntRange(0, 4).Draw(t, "change")
	switch rapid.IntRange(0, 6).Draw(t, "change control") {
	case 0, 1:
		return ProposeChange{ref, "", drawText.Draw(t, "reason"), drawWanted(t), drawPublished(t)}
	case 2:
		return RejectChange{ChangeRef{ref, number}, drawText.Draw(t, "reason")}
	case 3:
		return WithdrawChange{ChangeRef{ref, number}, ""}
	}
	return ApproveChange{ChangeRef{ref, number}}
}

// drawPublished mostly draws an empty list.
func drawPublished(t *rapid.T) (list []MilestoneID) {
	for range max(0, rapid.IntRange(-4, 2).Draw(t, "published")) {
		list = append(list, drawID.Draw(t, "to publish"))
	}
	return list
}

func drawWanted(t *rapid.T) (list []WantedChange) {
	for range rapid.IntRange(0, 2).Draw(t, "milestones") {
		wanted := WantedChange{Milestone: drawID.Draw(t, "milestone")}
		switch rapid.IntRange(0, 7).Draw(t, "wanted") {
		case 0:
			wanted.Cancel = true
		case 1:
			wanted.To.Owner, wanted.To.Acceptors = drawOwner.Draw(t, "owner"), drawPartners(t, "acceptors")
		case 2:
			wanted.To.Criteria = maybe(t, rapid.SliceOfN(drawText, 0, 2), "criteria")
		case 3:
			wanted.To.Title, wanted.To.Description = drawTitle.Draw(t, "title"), maybe(t, drawText, "description")
		case 4:
			wanted.To.ScheduleItem = new(rapid.SampledFrom([]ItemID{"", "lot", "none"}).Draw(t, "item"))
		default:
			wanted.To.DueOn = drawDate.Draw(t, "due")
		}
		list = append(list, wanted)
	}
	return list
}
