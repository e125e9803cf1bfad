package projections

import (
	"maps"
	"slices"

	"tandem/domain"
	"tandem/eventlog"
)

// partitionCapture holds the entities and indexes of one partition at one time.
type partitionCapture struct {
	head        eventlog.Head
	directories []savedDirectory
	agreements  []savedAgreement
	milestones  []savedMilestone
	names       savedNames
}

// capture returns the content of a partition. It copies pointers only, because entities do not change. The
// caller holds the read lock.
func (s *store) capture(partition eventlog.Partition) partitionCapture {
	captured := partitionCapture{head: s.heads[partition]}
	if partition == eventlog.PartitionOf(domain.NameRegister.Root()) {
		captured.names = savedNames{s.version(domain.NameRegister), slices.Collect(maps.Values(s.register))}
	}
	for _, node := range s.directoriesIn[partition] {
		if len(node.index.entries) > 0 {
			captured.directories = append(captured.directories, node.capture(s.version(domain.Stream{Partner: node.id})))
		}
	}
	for _, agreement := range s.agreementsIn[partition] {
		saved := savedAgreement{
			ID: agreement.id, Entity: agreement.entity, Version: s.version(domain.Stream{Agreement: agreement.id}),
			Waiting: agreement.awaitedSignatures, Titles: agreement.formerTitles.capture(), Root: agreement.index.capture(),
		}
		for _, project := range agreement.projects {
			saved.Projects = append(saved.Projects, savedProject{
				project.id, project.entity, s.version(domain.Stream{Agreement: agreement.id, Project: project.id}),
			})
			for _, milestone := range project.milestones {
				captured.milestones = append(captured.milestones, savedMilestone{milestone.entity, milestone.history, milestone.moves})
			}
		}
		captured.agreements = append(captured.agreements, saved)
	}
	return captured
}

// version returns the number of commits of a stream.
func (s *store) version(stream domain.Stream) uint64 {
	if node, ok := s.streams[stream.String()]; ok {
		return node.version
	}
	return 0
}

func (p *partnerNode) capture(version uint64) savedDirectory {
	saved := savedDirectory{ID: p.id, Entity: p.entity, Version: version, Profile: p.profileMark, Names: p.formerNames, Root: p.index.capture()}
	for _, member := range p.members {
		saved.Members = append(saved.Members, member)
	}
	for _, token := range p.tokens {
		saved.Tokens = append(saved.Tokens, token)
	}
	for _, webhook := range p.webhooks {
		saved.Webhooks = append(saved.Webhooks, webhook)
	}
	return saved
}

func (e *eventIndex) capture() savedRoot {
	saved := savedRoot{Refs: e.entries}
	for _, set := range e.readerSets {
		saved.Audiences = append(saved.Audiences, set.partners)
	}
	return saved
}
