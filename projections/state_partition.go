package projections

import (
	"tandem/domain"
	"tandem/eventlog"
)

var _ domain.State = partitionState{}

// partitionState is the domain.State of one partition. Decisions need all entities, not those that one
// partner can see.
type partitionState struct {
	present   *present
	partition eventlog.Partition
}

// readState returns the result of get, or the zero value if the stream lies in another partition.
func readState[T any](s partitionState, stream domain.Stream, get func(*store) T) (result T) {
	if eventlog.PartitionOf(stream.Root()) != s.partition {
		return result
	}
	s.present.mu.RLock()
	defer s.present.mu.RUnlock()
	return get(s.present.store)
}

func (s partitionState) Partner(id domain.PartnerID) *domain.Partner {
	return readState(s, domain.Stream{Partner: id}, func(state *store) *domain.Partner { return state.Partner(id) })
}

func (s partitionState) Member(ref domain.MemberRef) *domain.Member {
	return readState(s, domain.Stream{Partner: ref.Partner}, func(state *store) *domain.Member { return state.Member(ref) })
}

func (s partitionState) Token(ref domain.TokenRef) *domain.Token {
	return readState(s, domain.Stream{Partner: ref.Partner}, func(state *store) *domain.Token { return state.Token(ref) })
}

func (s partitionState) Webhook(ref domain.WebhookRef) *domain.Webhook {
	return readState(s, domain.Stream{Partner: ref.Partner}, func(state *store) *domain.Webhook { return state.Webhook(ref) })
}

func (s partitionState) ReservedName(key string) *domain.ReservedName {
	return readState(s, domain.NameRegister, func(state *store) *domain.ReservedName { return state.ReservedName(key) })
}

func (s partitionState) Agreement(id domain.AgreementID) *domain.Agreement {
	return readState(s, domain.Stream{Agreement: id}, func(state *store) *domain.Agreement { return state.Agreement(id) })
}

func (s partitionState) Project(ref domain.ProjectRef) *domain.Project {
	return readState(s, domain.Stream{Agreement: ref.Agreement}, func(state *store) *domain.Project { return state.Project(ref) })
}

func (s partitionState) Milestone(ref domain.MilestoneRef) *domain.Milestone {
	return readState(s, domain.Stream{Agreement: ref.Agreement}, func(state *store) *domain.Milestone { return state.Milestone(ref) })
}

func (s partitionState) Milestones(ref domain.ProjectRef) []*domain.Milestone {
	return readState(s, domain.Stream{Agreement: ref.Agreement}, func(state *store) []*domain.Milestone { return state.Milestones(ref) })
}

func (s partitionState) MilestonesOf(agreement domain.AgreementID, instrument domain.InstrumentID) []*domain.Milestone {
	return readState(s, domain.Stream{Agreement: agreement}, func(state *store) []*domain.Milestone {
		return state.MilestonesOf(agreement, instrument)
	})
}
