package projections

import (
	"fmt"
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
	s.tokens.load(s.tokenHolders())
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
