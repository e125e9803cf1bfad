package domain

import (
	"cmp"
	"slices"
)

// State is the input of decisions. Lookups return nil for a missing entity. Returned entities must not be
// modified.
type State interface {
	Partner(PartnerID) *Partner
	Member(MemberRef) *Member
	Token(TokenRef) *Token
	Webhook(WebhookRef) *Webhook
	// ReservedName returns the reservation of a key in the register of names.
	ReservedName(key string) *ReservedName
	Agreement(AgreementID) *Agreement
	Project(ProjectRef) *Project
	Milestone(MilestoneRef) *Milestone
	// MilestonesOf returns the milestones whose plan names the instrument, sorted by project and id.
	MilestonesOf(AgreementID, InstrumentID) []*Milestone
	// Milestones returns the milestones of a project, sorted by id.
	Milestones(ProjectRef) []*Milestone
}

// World is a State that events are folded into. It is either independent or a fork of another state, which it
// reads but never modifies; the owner of a partition decides on a fork, ahead of the durable state. A World is
// not safe for concurrent use.
type World struct {
	base    State
	inPlace bool
	commit  uint64

	partners   table[PartnerID, Partner]
	members    table[MemberRef, Member]
	tokens     table[TokenRef, Token]
	webhooks   table[WebhookRef, Webhook]
	names      table[string, ReservedName]
	agreements table[AgreementID, Agreement]
	projects   table[ProjectRef, Project]
	milestones table[MilestoneRef, Milestone]
}

// NewWorld returns an empty state.
func NewWorld() *World { return NewFork(emptyState{}) }

// NewFork returns a state that reads through to base and keeps its own changes.
func NewFork(base State) *World {
	return &World{
		base:       base,
		partners:   table[PartnerID, Partner]{},
		members:    table[MemberRef, Member]{},
		tokens:     table[TokenRef, Token]{},
		webhooks:   table[WebhookRef, Webhook]{},
		names:      table[string, ReservedName]{},
		agreements: table[AgreementID, Agreement]{},
		projects:   table[ProjectRef, Project]{},
		milestones: table[MilestoneRef, Milestone]{},
	}
}

// ReplaceInPlace lets Apply modify entities that were handed out before. This speeds up a replay without other
// readers. By default an entity is copied once for each commit that changes it, so do not keep an entity between
// two events of one commit.
func (w *World) ReplaceInPlace(yes bool) { w.inPlace = yes }

// Prune drops the fork's entities that were last changed by commits up to the given number. The base must hold
// them.
func (w *World) Prune(commit uint64) {
	w.partners.prune(commit)
	w.members.prune(commit)
	w.tokens.prune(commit)
	w.webhooks.prune(commit)
	w.names.prune(commit)
	w.agreements.prune(commit)
	w.projects.prune(commit)
	w.milestones.prune(commit)
}

// Partner implements State.
func (w *World) Partner(id PartnerID) *Partner { return w.partners.get(id, w.base.Partner) }

// Member implements State.
func (w *World) Member(ref MemberRef) *Member { return w.members.get(ref, w.base.Member) }

// Token implements State.
func (w *World) Token(ref TokenRef) *Token { return w.tokens.get(ref, w.base.Token) }

// Webhook implements State.
func (w *World) Webhook(ref WebhookRef) *Webhook { return w.webhooks.get(ref, w.base.Webhook) }

// ReservedName implements State.
func (w *World) ReservedName(key string) *ReservedName { return w.names.get(key, w.base.ReservedName) }

// Agreement implements State.
func (w *World) Agreement(id AgreementID) *Agreement { return w.agreements.get(id, w.base.Agreement) }

// Project implements State.
func (w *World) Project(ref ProjectRef) *Project { return w.projects.get(ref, w.base.Project) }

// Milestone implements State.
func (w *World) Milestone(ref MilestoneRef) *Milestone {
	return w.milestones.get(ref, w.base.Milestone)
}

// MilestonesOf implements State.
func (w *World) MilestonesOf(agreement AgreementID, instrument InstrumentID) []*Milestone {
	var list []*Milestone
	for _, milestone := range w.base.MilestonesOf(agreement, instrument) {
		if _, newer := w.milestones[milestone.Ref]; !newer {
			list = append(list, milestone)
		}
	}
	for ref, entry := range w.milestones {
		if ref.Agreement == agreement && entry.value.Plan.Instrument == instrument {
			list = append(list, entry.value)
		}
	}
	slices.SortFunc(list, compareRefs)
	return list
}

// Milestones implements State.
func (w *World) Milestones(project ProjectRef) []*Milestone {
	var list []*Milestone
	for _, milestone := range w.base.Milestones(project) {
		if _, newer := w.milestones[milestone.Ref]; !newer {
			list = append(list, milestone)
		}
	}
	for ref, entry := range w.milestones {
		if ref.ProjectRef() == project {
			list = append(list, entry.value)
		}
	}
	slices.SortFunc(list, compareRefs)
	return list
}

func compareRefs(first, second *Milestone) int {
	return cmp.Or(cmp.Compare(first.Ref.Project, second.Ref.Project), cmp.Compare(first.Ref.Milestone, second.Ref.Milestone))
}

func (w *World) editPartner(id PartnerID) *Partner { return edit(w, w.partners, id, w.base.Partner) }

func (w *World) editMember(ref MemberRef) *Member { return edit(w, w.members, ref, w.base.Member) }

func (w *World) editToken(ref TokenRef) *Token { return edit(w, w.tokens, ref, w.base.Token) }

func (w *World) editWebhook(ref WebhookRef) *Webhook { return edit(w, w.webhooks, ref, w.base.Webhook) }

func (w *World) editReservedName(key string) *ReservedName {
	return edit(w, w.names, key, w.base.ReservedName)
}

func (w *World) editAgreement(id AgreementID) *Agreement {
	return edit(w, w.agreements, id, w.base.Agreement)
}

func (w *World) editProject(ref ProjectRef) *Project {
	return edit(w, w.projects, ref, w.base.Project)
}

func (w *World) editMilestone(ref MilestoneRef) *Milestone {
	return edit(w, w.milestones, ref, w.base.Milestone)
}

// table holds the entities of one kind, each with the last commit that changed it.
type table[K comparable, V any] map[K]row[V]

type row[V any] struct {
	value  *V
	commit uint64
}

func (t table[K, V]) get(key K, base func(K) *V) *V {
	if entry, ok := t[key]; ok {
		return entry.value
	}
	return base(key)
}

func (t table[K, V]) prune(commit uint64) {
	for key, entry := range t {
		if entry.commit <= commit {
			delete(t, key)
		}
	}
}

// edit returns an entity for modification by the fold: a copy of the present one, or a new one. Its slices are
// shared with the old entity and must be replaced, not modified.
func edit[K comparable, V any](world *World, entities table[K, V], key K, base func(K) *V) *V {
	entry, own := entities[key]
	if !own {
		entry.value = base(key)
	}
	thisCommit := own && entry.commit == world.commit && world.commit != 0 // copied for an earlier event of this commit
	switch {
	case entry.value == nil:
		entry.value = new(V)
	case !own || !(world.inPlace || thisCommit):
		fresh := *entry.value
		entry.value = &fresh
	}
	entry.commit = world.commit
	entities[key] = entry
	return entry.value
}

// emptyState is the base of an independent world.
type emptyState struct{}

func (emptyState) Partner(PartnerID) *Partner                          { return nil }
func (emptyState) Member(MemberRef) *Member                            { return nil }
func (emptyState) Token(TokenRef) *Token                               { return nil }
func (emptyState) Webhook(WebhookRef) *Webhook                         { return nil }
func (emptyState) ReservedName(string) *ReservedName                   { return nil }
func (emptyState) Agreement(AgreementID) *Agreement                    { return nil }
func (emptyState) Project(ProjectRef) *Project                         { return nil }
func (emptyState) Milestone(MilestoneRef) *Milestone                   { return nil }
func (emptyState) MilestonesOf(AgreementID, InstrumentID) []*Milestone { return nil }
func (emptyState) Milestones(ProjectRef) []*Milestone                  { return nil }
