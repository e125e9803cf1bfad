package domain

import (
	"slices"
	"strings"
)

// Nomination names a partner, as lead of a project or as owner of a milestone, that has not agreed to it yet (R7).
type Nomination struct {
	By PartnerID // who named it
	At int64     // microseconds since 1970 UTC
}

// nominationBy returns the nomination that an event makes, or nil if the event asks for no agreement.
func nominationBy(header Header, asked bool) *Nomination {
	if !asked {
		return nil
	}
	return &Nomination{header.Partner, header.RecordedAt.UnixMicro()}
}

// ParticipantsAdded follows the last call. It is the project's first event that new participants see. They see
// shared milestones in their present state and with later history, change requests that are open, and no closed
// ones. Acceptors do not change.
type ParticipantsAdded struct {
	Added        []PartnerID `json:"added"`
	Participants []PartnerID `json:"participants"`
	Title        string      `json:"title"`
	Stage        Stage       `json:"stage"`
	Lead         PartnerID   `json:"lead"`
	Reason       string      `json:"reason,omitempty"`
}

func (e ParticipantsAdded) apply(world *World, header Header) {
	project := world.editProject(header.projectRef())
	project.Participants = e.Participants
	project.dropCalls(func(call OpenCall) bool { return call.Move == MoveAddParticipants })
	project.Changes = slices.Clone(project.Changes)
	for i, change := range project.Changes {
		fresh := *change
		for _, partner := range e.Added {
			fresh.Versions.join(partner, header.RecordedAt)
			if change.State != ChangeStateOpen {
				fresh.Versions.leave(partner)
			}
		}
		project.Changes[i] = &fresh
	}
	for _, milestone := range world.editSharedMilestones(header.projectRef()) {
		for _, partner := range e.Added {
			milestone.Versions.join(partner, header.RecordedAt)
		}
	}
	for _, partner := range e.Added {
		project.Versions.join(partner, header.RecordedAt)
	}
	project.Versions.count(header)
}

// editSharedMilestones returns the project's shared milestones for modification by the fold.
func (w *World) editSharedMilestones(ref ProjectRef) (shared []*Milestone) {
	for _, milestone := range w.Milestones(ref) {
		if _, private := milestone.Audience.Private(); private || milestone.Ref.Milestone == "" { // corrupted logs can contain milestones without an id
			continue
		}
		shared = append(shared, w.editMilestone(milestone.Ref))
	}
	return shared
}

// ParticipantLeft follows the last call. It is the project's last event that the partner sees. The partner keeps
// the history that it has seen in the agreement's feed, and no longer sees the project, its milestones or change
// requests, its own private ones included.
type ParticipantLeft struct {
	Partner      PartnerID   `json:"partner"`
	Participants []PartnerID `json:"participants"` // that remain
	Reason       string      `json:"reason,omitempty"`
}

// requireFreeToLeave refuses to let a partner go that leads the project, or that owns or accepts open milestones.
func (c CallStage) requireFreeToLeave(state State, project *Project) error {
	if project.Lead == c.Leaving {
		return conflict("lead_cannot_leave", "%s leads project %s; change the lead first.", c.Leaving, project.Ref.Project)
	}
	if len(project.Participants) <= 2 {
		return conflict("too_few_participants", "Project %s would have fewer than two participants; stop it instead.", project.Ref.Project)
	}
	var ids []string
	var fields validation
	for _, milestone := range openMilestones(state, project.Ref) {
		switch {
		case milestone.Plan.Owner == c.Leaving:
			fields.add("milestones", "%s owns %s", c.Leaving, milestone.Ref.Milestone)
		case slices.Contains(milestone.Plan.Acceptors, c.Leaving):
			fields.add("milestones", "%s accepts %s", c.Leaving, milestone.Ref.Milestone)
		default:
			continue
		}
		ids = append(ids, string(milestone.Ref.Milestone))
	}
	if len(ids) == 0 {
		return nil
	}
	refusal := conflict("open_milestones", "%s owns or accepts open milestones of project %s: %s. Finish them, or change owner and acceptors, first.",
		c.Leaving, project.Ref.Project, strings.Join(ids, ", "))
	refusal.Fields = fields
	return refusal
}

// openMilestones returns the project's shared milestones that are not final, sorted by id.
func openMilestones(state State, ref ProjectRef) (open []*Milestone) {
	for _, milestone := range state.Milestones(ref) {
		if milestone.Audience == Shared && !milestone.State.Final() {
			open = append(open, milestone)
		}
	}
	return open
}

func (e ParticipantLeft) apply(world *World, header Header) {
	project := world.editProject(header.projectRef())
	project.Versions.count(header)
	project.Participants = e.Participants
	project.dropCalls(func(call OpenCall) bool {
		return call.Partner == e.Partner || call.Leaving == e.Partner || call.Lead == e.Partner
	})
	project.Changes = slices.Clone(project.Changes)
	for i, change := range project.Changes {
		fresh := *change
		fresh.Versions.leave(e.Partner)
		project.Changes[i] = &fresh
	}
	for _, milestone := range world.editSharedMilestones(header.projectRef()) {
		milestone.Versions.leave(e.Partner)
		milestone.dropResponsible(e.Partner)
	}
	project.Versions.leave(e.Partner)
}

// LeadChanged follows the last call for another lead.
type LeadChanged struct {
	To     PartnerID `json:"to"`
	From   PartnerID `json:"from"`
	Reason string    `json:"reason,omitempty"`
}

func (e LeadChanged) apply(world *World, header Header) {
	project := world.editProject(header.projectRef())
	project.Lead, project.LeadNomination = e.To, nil
	project.dropCalls(func(call OpenCall) bool { return call.Move == MoveChangeLead })
	project.Versions.count(header)
}
