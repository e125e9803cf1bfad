package projections

import (
	"slices"
	"strings"

	"tandem/domain"
	"tandem/eventlog"
)

// indexEvent copies the entities that event i of the commit changed from the scratch world to their nodes, and
// adds the event to the index of its root.
func (s *store) indexEvent(node *streamNode, commit *eventlog.Commit, i int, header domain.Header, payload domain.Payload) error {
	switch {
	case node.stream.Register:
		s.indexNames(payload)
		return nil
	case node.directory != nil:
		return s.indexDirectory(node.directory, commit, i, header, payload)
	case node.project == nil:
		return s.indexAgreement(node.agreement, commit, i, header, payload)
	case header.Subject == "":
		return s.indexProject(node.project, commit, i, header, payload)
	default:
		return s.indexMilestone(node.project, commit, i, header, payload)
	}
}

// indexNames copies the reserved keys. Events of the register have no readers, and so no index.
func (s *store) indexNames(payload domain.Payload) {
	if event, ok := payload.(domain.NameReserved); ok {
		for _, key := range event.Keys {
			s.register[key] = s.world.ReservedName(key)
		}
	}
}

func (s *store) indexAgreement(agreement *agreementNode, commit *eventlog.Commit, i int, header domain.Header, payload domain.Payload) error {
	agreement.entity = s.world.Agreement(agreement.id)
	agreement.updateTitle(titledEntity{}, &agreement.title, agreement.entity.Terms.Title, titleOrder(commit.Seq, i))
	agreement.updateAwaitedSignatures(header.RecordedAt.UnixMicro())
	s.updateReaders(agreement)
	code, err := agreement.index.setCode(agreement.entity.EventReaders(payload, header.RecordedAt), s.reader)
	if err == nil {
		_, err = s.addEvent(agreement.index, commit, i, header, code)
	}
	return err
}

// updateReaders adds the agreement to the lists of its present readers and removes it from those of former
// ones.
func (s *store) updateReaders(agreement *agreementNode) {
	before, now := agreement.listedFor, agreement.readers()
	if s.replay || slices.Equal(before, now) {
		return
	}
	for _, partner := range before {
		if !slices.Contains(now, partner) {
			s.partner(partner).dropAgreement(agreement)
			s.markChanged(s.reader(partner), agreement.id)
		}
	}
	for _, partner := range now {
		s.partner(partner).addAgreement(agreement)
	}
	agreement.listedFor = now
}

// updateAwaitedSignatures sets since when the signature of each party is awaited.
func (a *agreementNode) updateAwaitedSignatures(at int64) {
	if !a.entity.AwaitsSignatures() {
		a.awaitedSignatures = nil
		return
	}
	var waiting []awaitedSignature
	for _, partner := range a.entity.Terms.Parties {
		signed := slices.ContainsFunc(a.entity.Signatures, func(signature domain.Signature) bool { return signature.Partner == partner })
		if signed {
			continue
		}
		since := at
		if i := slices.IndexFunc(a.awaitedSignatures, func(awaited awaitedSignature) bool { return awaited.Partner == partner }); i >= 0 {
			since = a.awaitedSignatures[i].At
		}
		waiting = append(waiting, awaitedSignature{partner, since})
	}
	a.awaitedSignatures = waiting
}

func (s *store) indexProject(project *projectNode, commit *eventlog.Commit, i int, header domain.Header, payload domain.Payload) error {
	project.entity = s.world.Project(domain.ProjectRef{Agreement: project.agreement.id, Project: project.id})
	project.agreement.updateTitle(titledEntity{Project: project.id}, &project.title, project.entity.Title, titleOrder(commit.Seq, i))
	readers := project.participantsCode
	if before, now := project.listedFor, project.participants(); !slices.Equal(before, now) {
		code, err := project.agreement.index.setCode(now, s.reader)
		if err != nil {
			return err
		}
		project.participantsCode, project.listedFor = code, now
		s.updateParticipants(project, before)
	}
	if _, left := payload.(domain.ParticipantLeft); !left { // the partner that left sees this event, too
		readers = project.participantsCode
	}
	_, err := s.addEvent(project.agreement.index, commit, i, header, readers)
	return err
}

// updateParticipants copies the project's milestones, whose entities state since when a joining partner sees
// them, and moves them between the lists of former and present participants.
func (s *store) updateParticipants(project *projectNode, before []domain.PartnerID) {
	for _, milestone := range project.milestones {
		milestone.entity = s.world.Milestone(milestone.entity.Ref)
		if s.replay {
			continue
		}
		for _, reader := range milestoneReaders(milestone.entity, before) {
			s.partner(reader).dropMilestone(milestone)
		}
		for _, reader := range milestoneReaders(milestone.entity, project.participants()) {
			s.partner(reader).addMilestone(milestone)
		}
	}
	if s.replay {
		return
	}
	for _, reader := range before {
		s.markChanged(s.reader(reader), project.agreement.id)
	}
}

func (s *store) indexMilestone(project *projectNode, commit *eventlog.Commit, i int, header domain.Header, event domain.Payload) error {
	id := domain.MilestoneID(header.Subject)
	milestone, ok := project.milestones[id]
	if !ok {
		milestone = &milestoneNode{project: project}
		project.milestones[id] = milestone
	}
	before := milestone.entity
	milestone.entity = s.world.Milestone(domain.MilestoneRef{Agreement: project.agreement.id, Project: project.id, Milestone: id})
	project.agreement.updateTitle(titledEntity{project.id, id}, &milestone.title, milestone.entity.Plan.Title, titleOrder(commit.Seq, i))
	milestone.updatePublic()
	if !s.replay {
		s.updateListing(milestone, before)
		project.agreement.updateServing(milestone)
	}
	place, err := s.addEvent(project.agreement.index, commit, i, header, project.participantsCode)
	milestone.history = append(milestone.history, place)
	milestone.addDateMoves(place, event)
	return err
}

// updateListing keeps a milestone at its place in the lists of its readers.
func (s *store) updateListing(milestone *milestoneNode, before *domain.Milestone) {
	now := milestone.entity
	if before != nil && before.Audience == now.Audience && before.Plan.DueOn == now.Plan.DueOn {
		return
	}
	if before != nil {
		for _, partner := range milestoneReaders(before, milestone.project.participants()) {
			s.partner(partner).dropMilestone(milestone)
		}
	}
	milestone.due = now.Plan.DueOn
	for _, partner := range milestoneReaders(now, milestone.project.participants()) {
		s.partner(partner).addMilestone(milestone)
	}
}

// updateServing keeps a milestone in the list of the instrument that it names.
func (a *agreementNode) updateServing(milestone *milestoneNode) {
	instrument := milestone.entity.Plan.Instrument
	if instrument == milestone.servesInstrument {
		return
	}
	if milestone.servesInstrument != "" {
		listed := a.serving[milestone.servesInstrument]
		i := slices.Index(listed, milestone)
		a.serving[milestone.servesInstrument] = slices.Delete(listed, i, i+1)
	}
	if milestone.servesInstrument = instrument; instrument != "" {
		a.serving[instrument] = append(a.serving[instrument], milestone)
	}
}

// milestoneReaders returns the participants that can see the milestone.
func milestoneReaders(milestone *domain.Milestone, participants []domain.PartnerID) []domain.PartnerID {
	only, private := milestone.Audience.Private()
	if !private {
		return participants
	}
	if slices.Contains(participants, only) {
		return []domain.PartnerID{only}
	}
	return nil
}

// addEvent adds an event to an index and wakes the readers that can see it. Its readers have the shared code
// unless the event is private. It returns the place of the event.
func (s *store) addEvent(index *eventIndex, commit *eventlog.Commit, i int, header domain.Header, shared uint16) (uint32, error) {
	code := shared
	if only, private := header.Audience.Private(); private {
		var err error
		if code, err = index.setCode([]domain.PartnerID{only}, s.reader); err != nil {
			return 0, err
		}
	}
	place, err := index.add(commit, i, code)
	if err != nil || s.replay {
		return place, err
	}
	for _, reader := range index.readerSets[code].readers {
		s.markChanged(reader.reader, header.Stream.Agreement)
	}
	return place, nil
}

// markChanged makes the reader's pages stale and wakes the goroutines that wait for a change of the agreement,
// or of any agreement if it is empty.
func (s *store) markChanged(reader *reader, agreement domain.AgreementID) {
	reader.changes.Add(1)
	s.toWake = reader.takeWaiters(s.toWake, agreement)
}

// buildLists makes the lists that are not kept during a replay.
func (s *store) buildLists() {
	for _, partner := range s.partners {
		partner.agreements, partner.milestones = nil, nil
	}
	for _, agreement := range s.agreements {
		agreement.listedFor = agreement.readers()
		for _, partner := range agreement.listedFor {
			s.partner(partner).agreements = append(s.partner(partner).agreements, agreement)
		}
		for _, project := range agreement.projects {
			for _, milestone := range project.milestones {
				milestone.due = milestone.entity.Plan.DueOn
				agreement.updateServing(milestone)
				for _, partner := range milestoneReaders(milestone.entity, project.participants()) {
					s.partner(partner).milestones = append(s.partner(partner).milestones, milestone)
				}
			}
		}
	}
	for _, partner := range s.partners {
		slices.SortFunc(partner.agreements, compareAgreements)
		slices.SortFunc(partner.milestones, compareMilestones)
	}
}

func compareAgreements(one, other *agreementNode) int {
	return strings.Compare(string(one.id), string(other.id))
}

// updatePublic adds a public milestone to the list of its agreement, so that the cost of a public view does not
// depend on the milestones that are not public.
func (m *milestoneNode) updatePublic() {
	if m.entity.Public && !m.public {
		m.public = true
		agreement := m.project.agreement
		agreement.public = append(agreement.public, m)
	}
}
