package domain

// Responsible is the member whom a participant names for its own side of a milestone. Each participant names its own.
type Responsible struct {
	Partner PartnerID
	Member  MemberID
}

func (r Responsible) key() string { return string(r.Partner) }

// NameResponsible names the responsible member of the acting partner; empty: none. Members are in another partition,
// so the server checks that this one is a present member before it sends the command.
type NameResponsible struct {
	MilestoneRef `json:"ref"`
	Member       MemberID `json:"member,omitempty"`
}

// ResponsibleNamed carries the new and the previous responsible member of one partner; empty: none.
type ResponsibleNamed struct {
	Partner PartnerID `json:"partner"`
	Member  MemberID  `json:"member,omitempty"`
	From    MemberID  `json:"from,omitempty"`
}

func (c NameResponsible) decide(state State, dc DecisionContext) ([]Event, error) {
	milestone, err := findMilestone(state, c.MilestoneRef, dc)
	if err != nil {
		return nil, err
	}
	if c.Member != "" {
		var check validation
		check.slug("member", string(c.Member))
		if err := check.err(); err != nil {
			return nil, err
		}
	}
	if err := dc.requireManager(); err != nil {
		return nil, err
	}
	if err := milestone.agreement.requireNotLeft(dc); err != nil {
		return nil, err
	}
	if milestone.State.Final() {
		return nil, milestone.requireState()
	}
	event := ResponsibleNamed{Partner: dc.Actor.Partner, Member: c.Member, From: milestone.ResponsibleOf(dc.Actor.Partner)}
	switch {
	case event.Member != event.From:
		return milestone.event(event), nil
	case event.Member == "":
		return nil, conflict("nothing_changes", "%s has named no responsible member of milestone %s.", event.Partner, milestone.Ref.Milestone)
	default:
		return nil, conflict("nothing_changes", "%s is already the responsible member of milestone %s.", event.Member, milestone.Ref.Milestone)
	}
}

// ResponsibleOf returns the responsible member of the partner; empty if it has named none.
func (m *Milestone) ResponsibleOf(partner PartnerID) MemberID {
	for _, responsible := range m.Responsible {
		if responsible.Partner == partner {
			return responsible.Member
		}
	}
	return ""
}

func (e ResponsibleNamed) apply(world *World, header Header) {
	milestone := header.editMilestone(world)
	if e.Member == "" {
		milestone.dropResponsible(e.Partner)
		return
	}
	milestone.Responsible = upsert(milestone.Responsible, Responsible{e.Partner, e.Member}, Responsible.key)
}

// dropResponsible removes the responsible member of a partner, which has cleared it or left the project.
func (m *Milestone) dropResponsible(partner PartnerID) {
	if member := m.ResponsibleOf(partner); member != "" {
		m.Responsible = without(m.Responsible, Responsible{partner, member})
	}
	if len(m.Responsible) == 0 {
		m.Responsible = nil
	}
}
