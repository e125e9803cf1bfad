package projections

import (
	"fmt"
	"time"

	"tandem/domain"
	"tandem/eventlog"
)

// store is the fold of the log: the present entities and the indexes over them. It is not safe for concurrent
// use.
type store struct {
	entities
	world      *domain.World // fork on the nodes; entities that an event changes are copied to them
	replay     bool          // sorted lists and tokens are not kept until endReplay
	heads      eventlog.Positions
	epochs     [eventlog.Partitions]uint64 // accepted losses, by partition
	halted     [eventlog.Partitions]bool   // partitions with an open loss, of which no further commit is applied
	lostUnseen bool                        // a partition was lost whole before a commit of it was applied
	streams    map[string]*streamNode

	directoriesIn [eventlog.Partitions][]*partnerNode
	agreementsIn  [eventlog.Partitions][]*agreementNode
	operator      *partnerNode // the operator as a reader, who sees every directory
	tokens        *tokenIndex
	invitations   map[[32]byte]domain.InvitationRef // by the SHA-256 of the code
	names         *memberNames

	zones      map[string]*time.Location
	postStates *postStates     // nil during a replay and in past states
	toWake     []chan struct{} // channels to close once the change can be read
}

// streamNode is a stream and the nodes that its events concern.
type streamNode struct {
	stream    domain.Stream
	version   uint64 // number of commits applied
	directory *partnerNode
	agreement *agreementNode
	project   *projectNode
}

func newStore(found *tokenIndex, names *memberNames) *store {
	state := &store{
		entities: entities{
			partners:   map[domain.PartnerID]*partnerNode{},
			agreements: map[domain.AgreementID]*agreementNode{},
			register:   map[string]*domain.ReservedName{},
		},
		streams:     map[string]*streamNode{},
		invitations: map[[32]byte]domain.InvitationRef{},
		operator:    newPartnerNode(""),
		tokens:      found,
		names:       names,
		zones:       map[string]*time.Location{},
	}
	state.world = domain.NewFork(state)
	return state
}

// beginReplay makes applying cheaper until endReplay: entities change in place and lists are not kept. The
// store must not be read meanwhile.
func (s *store) beginReplay() {
	s.replay = true
	s.world.ReplaceInPlace(true)
}

// endReplay makes the lists. From now on entities that were handed out do not change.
func (s *store) endReplay() {
	s.replay = false
	s.world = domain.NewFork(s)
	s.buildLists()
	s.tokens.load(s.tokenHolders())
	for _, partner := range s.partners {
		s.names.eraseRemoved(partner.members)
	}
}

// apply folds one commit whose events are decoded. An error means that the log is damaged.
func (s *store) apply(commit *eventlog.Commit, payloads []domain.Payload) error {
	head := &s.heads[commit.Partition]
	if commit.Seq != head.Seq+1 || commit.Prev != head.Hash {
		return fmt.Errorf("the commit does not continue the store, which is at commit %d: %w", head.Seq, eventlog.ErrDamaged)
	}
	node, err := s.streamOf(commit)
	if err != nil {
		return err
	}
	member, _ := domain.ParseActorName(commit.Actor)
	header := domain.Header{
		Stream: node.stream, Commit: commit.Seq, Partner: domain.PartnerID(commit.Partner), Member: member, RecordedAt: commit.RecordedAt,
	}
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

// streamOf returns the node of a commit's stream and creates it with the first commit.
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

// addStream creates the node of a stream.
func (s *store) addStream(stream domain.Stream) *streamNode {
	node := &streamNode{stream: stream}
	switch {
	case stream.Register: // its events concern no node
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
