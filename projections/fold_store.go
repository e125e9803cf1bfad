package projections

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"tandem/domain"
	"tandem/eventlog"
)

// store is the fold: the present entities, and the indexes over them. It is not safe for
// concurrent use; the Image guards it.
type store struct {
	world      *domain.World // scratch: a fork on the nodes below, which take over what it changed
	replay     bool          // sorted lists and tokens wait for finish
	heads      eventlog.Positions
	epochs     [eventlog.Partitions]uint64 // losses that were accepted
	halted     [eventlog.Partitions]bool   // history was lost; nothing more is applied
	lostUnseen bool                        // all of a partition was lost before any of it was applied here
	streams    map[string]*streamNode

	partners      map[domain.PartnerID]*partnerNode
	agreements    map[domain.AgreementID]*agreementNode
	directoriesIn [eventlog.Partitions][]*partnerNode
	agreementsIn  [eventlog.Partitions][]*agreementNode
	operator      *partnerNode // stands for the operator, who sees every directory
	tokens        *tokenIndex

	zones      map[string]*time.Location
	postStates *postStates     // nil: they are not kept
	toWake     []chan struct{} // to close once the change can be read
}

// streamNode is where the events of a stream go.
type streamNode struct {
	stream    domain.Stream
	version   uint64 // commits applied; part of a snapshot
	directory *partnerNode
	agreement *agreementNode
	project   *projectNode
}

// agreementNode is an agreement and what happens under it.
type agreementNode struct {
	id                domain.AgreementID
	entity            *domain.Agreement // nil before its first event
	index             *eventIndex
	listedFor         []domain.PartnerID // those who have it in their lists; an entity changes in place within a commit
	awaitedSignatures []awaitedSignature
	projects          []*projectNode // sorted by id
	serving           map[domain.InstrumentID][]*milestoneNode
	public            []*milestoneNode
}

// awaitedSignature says since when a party's signature is awaited.
type awaitedSignature struct {
	Partner domain.PartnerID
	At      int64 // microseconds since 1970
}

// projectNode is a project and its milestones.
type projectNode struct {
	id               domain.ProjectID
	entity           *domain.Project // nil before its first event
	agreement        *agreementNode
	participantsCode uint16             // audience code of the participants
	listedFor        []domain.PartnerID // who had the code and the lists when they were made; see agreementNode
	calls            []openCall
	milestones       map[domain.MilestoneID]*milestoneNode
}

// openCall says when an open call was made.
type openCall struct {
	Call domain.Call
	At   int64 // microseconds since 1970
}

// milestoneNode is a milestone and its history.
type milestoneNode struct {
	entity           *domain.Milestone
	project          *projectNode
	due              domain.Date         // by which it is listed
	public           bool                // is among the agreement's public ones
	accepted         bool                // the notes say so
	moves            []byte              // see note; only ever appended to
	servesInstrument domain.InstrumentID // under which it is listed
	history          []uint32            // places in the root's refs
	deliveredAt      int64               // when the present delivery was recorded; microseconds since 1970
}

var _ domain.State = (*store)(nil)

func newStore(found *tokenIndex) *store {
	state := &store{
		streams:    map[string]*streamNode{},
		partners:   map[domain.PartnerID]*partnerNode{},
		agreements: map[domain.AgreementID]*agreementNode{},
		operator:   newPartnerNode(""),
		tokens:     found,
		zones:      map[string]*time.Location{},
	}
	state.world = domain.NewFork(state)
	return state
}

// beginReplay makes applying cheaper while nobody reads: entities change in place and lists are
// not kept in order.
func (s *store) beginReplay() {
	s.replay = true
	s.world.ReplaceInPlace(true)
}

// endReplay ends a replay: from now on everything is in order and entities handed out never change.
func (s *store) endReplay() {
	s.replay = false
	s.world = domain.NewFork(s)
	s.buildLists()
	s.tokens.load(s.partners)
}

// apply folds one commit whose events are decoded. An error says that the log is not what it
// must be.
func (s *store) apply(commit *eventlog.Commit, payloads []domain.Payload) error {
	head := &s.heads[commit.Partition]
	if commit.Seq != head.Seq+1 || commit.Prev != head.Hash {
		return fmt.Errorf("the commit does not continue the image, which is at %d: %w", head.Seq, eventlog.ErrDamaged)
	}
	node, err := s.streamOf(commit)
	if err != nil {
		return err
	}
	header := domain.Header{Stream: node.stream, Commit: commit.Seq, Partner: domain.PartnerID(commit.Partner), RecordedAt: commit.RecordedAt}
	for i := range commit.Events {
		header.Subject, header.Audience = commit.Events[i].Subject, domain.Audience(commit.Events[i].Audience)
		s.world.Apply(header, payloads[i])
		if err := s.indexEvent(node, commit, i, header, payloads[i]); err != nil {
			return err
		}
	}
	*head, node.version = commit.Head(), commit.Version
	if !s.replay {
		s.postStates.add(node, commit)
		s.world.Prune(commit.Seq)
	}
	return nil
}

// streamOf returns the place of a commit's stream, which comes into being with its first commit.
func (s *store) streamOf(commit *eventlog.Commit) (*streamNode, error) {
	if node, ok := s.streams[commit.Stream]; ok {
		return node, nil
	}
	stream, err := domain.ParseStream(commit.Stream)
	if err != nil {
		return nil, err
	}
	if at := eventlog.PartitionOf(stream.Root()); at != commit.Partition {
		return nil, fmt.Errorf("stream %s belongs to partition %d: %w", commit.Stream, at, eventlog.ErrDamaged)
	}
	return s.addStream(stream), nil
}

// addStream returns the node of a stream.
func (s *store) addStream(stream domain.Stream) *streamNode {
	node := &streamNode{stream: stream}
	switch {
	case stream.Partner != "":
		node.directory = s.partner(stream.Partner)
	default:
		node.agreement = s.agreement(stream.Agreement)
		if stream.Project != "" {
			node.project = node.agreement.project(stream.Project)
		}
	}
	s.streams[stream.String()] = node
	return node
}

func (s *store) agreement(id domain.AgreementID) *agreementNode {
	agreement, ok := s.agreements[id]
	if !ok {
		agreement = &agreementNode{
			id: id, index: newEventIndex(domain.Stream{Agreement: id}.Root(), string(id)), serving: map[domain.InstrumentID][]*milestoneNode{},
		}
		s.agreements[id] = agreement
		s.agreementsIn[agreement.index.partition] = append(s.agreementsIn[agreement.index.partition], agreement)
	}
	return agreement
}

func (a *agreementNode) findProject(id domain.ProjectID) (int, bool) {
	return slices.BinarySearchFunc(a.projects, id, func(project *projectNode, id domain.ProjectID) int {
		return strings.Compare(string(project.id), string(id))
	})
}

func (a *agreementNode) project(id domain.ProjectID) *projectNode {
	i, ok := a.findProject(id)
	if !ok {
		project := &projectNode{id: id, agreement: a, milestones: map[domain.MilestoneID]*milestoneNode{}}
		a.projects = slices.Insert(a.projects, i, project)
	}
	return a.projects[i]
}

// readers returns who sees the agreement: the parties, and who is invited to join them.
func (a *agreementNode) readers() []domain.PartnerID {
	if a.entity == nil {
		return nil
	}
	return a.entity.Readers()
}

func (p *projectNode) participants() []domain.PartnerID {
	if p.entity == nil {
		return nil
	}
	return p.entity.Participants
}

// Partner implements domain.State, as the other methods below.
func (s *store) Partner(id domain.PartnerID) *domain.Partner {
	if partner, ok := s.partners[id]; ok {
		return partner.entity
	}
	return nil
}

// Member implements domain.State.
func (s *store) Member(ref domain.MemberRef) *domain.Member {
	if partner, ok := s.partners[ref.Partner]; ok {
		return partner.members[ref.Member]
	}
	return nil
}

// Token implements domain.State.
func (s *store) Token(ref domain.TokenRef) *domain.Token {
	if partner, ok := s.partners[ref.Partner]; ok {
		return partner.tokens[ref.Token]
	}
	return nil
}

// Webhook implements domain.State.
func (s *store) Webhook(ref domain.WebhookRef) *domain.Webhook {
	if partner, ok := s.partners[ref.Partner]; ok {
		return partner.webhooks[ref.Webhook]
	}
	return nil
}

// Agreement implements domain.State.
func (s *store) Agreement(id domain.AgreementID) *domain.Agreement {
	if agreement, ok := s.agreements[id]; ok {
		return agreement.entity
	}
	return nil
}

// Project implements domain.State.
func (s *store) Project(ref domain.ProjectRef) *domain.Project {
	if project := s.projectNode(ref); project != nil {
		return project.entity
	}
	return nil
}

// Milestone implements domain.State.
func (s *store) Milestone(ref domain.MilestoneRef) *domain.Milestone {
	if project := s.projectNode(ref.ProjectRef()); project != nil {
		if milestone, ok := project.milestones[ref.Milestone]; ok {
			return milestone.entity
		}
	}
	return nil
}

// MilestonesOf implements domain.State. It is sorted here, when somebody asks, not with every event.
func (s *store) MilestonesOf(agreement domain.AgreementID, instrument domain.InstrumentID) []*domain.Milestone {
	node, ok := s.agreements[agreement]
	if !ok {
		return nil
	}
	list := make([]*domain.Milestone, 0, len(node.serving[instrument]))
	for _, milestone := range node.serving[instrument] {
		list = append(list, milestone.entity)
	}
	slices.SortFunc(list, func(one, other *domain.Milestone) int {
		return cmp.Or(cmp.Compare(one.Ref.Project, other.Ref.Project), cmp.Compare(one.Ref.Milestone, other.Ref.Milestone))
	})
	return list
}

// Milestones implements domain.State.
func (s *store) Milestones(in domain.ProjectRef) []*domain.Milestone {
	project := s.projectNode(in)
	if project == nil {
		return nil
	}
	list := make([]*domain.Milestone, 0, len(project.milestones))
	for _, milestone := range project.milestones {
		list = append(list, milestone.entity)
	}
	slices.SortFunc(list, func(one, other *domain.Milestone) int { return cmp.Compare(one.Ref.Milestone, other.Ref.Milestone) })
	return list
}

func (s *store) projectNode(ref domain.ProjectRef) *projectNode {
	agreement, ok := s.agreements[ref.Agreement]
	if !ok {
		return nil
	}
	if i, ok := agreement.findProject(ref.Project); ok {
		return agreement.projects[i]
	}
	return nil
}
