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
	world   *domain.World // scratch: a fork on the nodes below, which take over what it changed
	replay  bool          // sorted lists and tokens wait for finish
	heads   eventlog.Positions
	epochs  [eventlog.Partitions]uint64 // losses that were accepted
	halted  [eventlog.Partitions]bool   // history was lost; nothing more is applied
	unseen  bool                        // all of a partition was lost before any of it was applied here
	streams map[string]*streamNode

	partners      map[domain.PartnerID]*partnerNode
	agreements    map[domain.AgreementID]*agreementNode
	directoriesIn [eventlog.Partitions][]*partnerNode
	agreementsIn  [eventlog.Partitions][]*agreementNode
	operator      *partnerNode // stands for the operator, who sees every directory
	identities    *identities

	zones  map[string]*time.Location
	recent *aftermaths     // nil: they are not kept
	fired  []chan struct{} // to close once the change can be read
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
	id       domain.AgreementID
	entity   *domain.Agreement // nil before its first event
	root     *root
	listed   []domain.PartnerID // those who have it in their lists; an entity changes in place within a commit
	waiting  []waitingSince
	projects []*projectNode // sorted by id
	serving  map[domain.InstrumentID][]*milestoneNode
	public   []*milestoneNode
}

// waitingSince says since when a party's signature is awaited.
type waitingSince struct {
	Partner domain.PartnerID
	At      int64 // microseconds since 1970
}

// projectNode is a project and its milestones.
type projectNode struct {
	id         domain.ProjectID
	entity     *domain.Project // nil before its first event
	agreement  *agreementNode
	shared     uint16             // audience code of the participants
	listed     []domain.PartnerID // who had the code and the lists when they were made; see agreementNode
	calls      []callSince
	milestones map[domain.MilestoneID]*milestoneNode
}

// callSince says when an open call was made.
type callSince struct {
	Call domain.Call
	At   int64 // microseconds since 1970
}

// milestoneNode is a milestone and its history.
type milestoneNode struct {
	entity      *domain.Milestone
	project     *projectNode
	due         domain.Date         // by which it is listed
	public      bool                // is among the agreement's public ones
	accepted    bool                // the notes say so
	notes       []byte              // see note; only ever appended to
	serves      domain.InstrumentID // under which it is listed
	history     []uint32            // places in the root's refs
	deliveredAt int64               // when the present delivery was recorded; microseconds since 1970
}

var _ domain.State = (*store)(nil)

func newStore(found *identities) *store {
	s := &store{
		streams:    map[string]*streamNode{},
		partners:   map[domain.PartnerID]*partnerNode{},
		agreements: map[domain.AgreementID]*agreementNode{},
		operator:   newPartnerNode(""),
		identities: found,
		zones:      map[string]*time.Location{},
	}
	s.world = domain.NewFork(s)
	return s
}

// beginReplay makes applying cheaper while nobody reads: entities change in place and lists are
// not kept in order.
func (s *store) beginReplay() {
	s.replay = true
	s.world.ReplaceInPlace(true)
}

// finish ends a replay: from now on everything is in order and entities handed out never change.
func (s *store) finish() {
	s.replay = false
	s.world = domain.NewFork(s)
	s.buildLists()
	s.identities.load(s.partners)
}

// apply folds one commit whose events are decoded. An error says that the log is not what it
// must be.
func (s *store) apply(c *eventlog.Commit, payloads []domain.Payload) error {
	head := &s.heads[c.Partition]
	if c.Seq != head.Seq+1 || c.Prev != head.Hash {
		return fmt.Errorf("the commit does not continue the image, which is at %d: %w", head.Seq, eventlog.ErrDamaged)
	}
	n, err := s.stream(c)
	if err != nil {
		return err
	}
	h := domain.Header{Stream: n.stream, Commit: c.Seq, Partner: domain.PartnerID(c.Partner), RecordedAt: c.RecordedAt}
	for i := range c.Events {
		h.Subject, h.Audience = c.Events[i].Subject, domain.Audience(c.Events[i].Audience)
		s.world.Apply(h, payloads[i])
		if err := s.index(n, c, i, h, payloads[i]); err != nil {
			return err
		}
	}
	*head, n.version = c.Head(), c.Version
	if !s.replay {
		s.recent.add(n, c)
		s.world.Prune(c.Seq)
	}
	return nil
}

// stream returns the place of a commit's stream, which comes into being with its first commit.
func (s *store) stream(c *eventlog.Commit) (*streamNode, error) {
	if n, ok := s.streams[c.Stream]; ok {
		return n, nil
	}
	stream, err := domain.ParseStream(c.Stream)
	if err != nil {
		return nil, err
	}
	if at := eventlog.PartitionOf(stream.Root()); at != c.Partition {
		return nil, fmt.Errorf("stream %s belongs to partition %d: %w", c.Stream, at, eventlog.ErrDamaged)
	}
	return s.place(stream), nil
}

// place returns the node of a stream.
func (s *store) place(stream domain.Stream) *streamNode {
	n := &streamNode{stream: stream}
	switch {
	case stream.Partner != "":
		n.directory = s.partner(stream.Partner)
	default:
		n.agreement = s.agreement(stream.Agreement)
		if stream.Project != "" {
			n.project = n.agreement.project(stream.Project)
		}
	}
	s.streams[stream.String()] = n
	return n
}

func (s *store) agreement(id domain.AgreementID) *agreementNode {
	a, ok := s.agreements[id]
	if !ok {
		a = &agreementNode{
			id: id, root: newRoot(domain.Stream{Agreement: id}.Root(), string(id)), serving: map[domain.InstrumentID][]*milestoneNode{},
		}
		s.agreements[id] = a
		s.agreementsIn[a.root.partition] = append(s.agreementsIn[a.root.partition], a)
	}
	return a
}

func (a *agreementNode) find(id domain.ProjectID) (int, bool) {
	return slices.BinarySearchFunc(a.projects, id, func(p *projectNode, id domain.ProjectID) int {
		return strings.Compare(string(p.id), string(id))
	})
}

func (a *agreementNode) project(id domain.ProjectID) *projectNode {
	i, ok := a.find(id)
	if !ok {
		p := &projectNode{id: id, agreement: a, milestones: map[domain.MilestoneID]*milestoneNode{}}
		a.projects = slices.Insert(a.projects, i, p)
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
	if p, ok := s.partners[id]; ok {
		return p.entity
	}
	return nil
}

// Member implements domain.State.
func (s *store) Member(ref domain.MemberRef) *domain.Member {
	if p, ok := s.partners[ref.Partner]; ok {
		return p.members[ref.Member]
	}
	return nil
}

// Token implements domain.State.
func (s *store) Token(ref domain.TokenRef) *domain.Token {
	if p, ok := s.partners[ref.Partner]; ok {
		return p.tokens[ref.Token]
	}
	return nil
}

// Webhook implements domain.State.
func (s *store) Webhook(ref domain.WebhookRef) *domain.Webhook {
	if p, ok := s.partners[ref.Partner]; ok {
		return p.webhooks[ref.Webhook]
	}
	return nil
}

// Agreement implements domain.State.
func (s *store) Agreement(id domain.AgreementID) *domain.Agreement {
	if a, ok := s.agreements[id]; ok {
		return a.entity
	}
	return nil
}

// Project implements domain.State.
func (s *store) Project(ref domain.ProjectRef) *domain.Project {
	if p := s.projectNode(ref); p != nil {
		return p.entity
	}
	return nil
}

// Milestone implements domain.State.
func (s *store) Milestone(ref domain.MilestoneRef) *domain.Milestone {
	if p := s.projectNode(ref.ProjectRef()); p != nil {
		if m, ok := p.milestones[ref.Milestone]; ok {
			return m.entity
		}
	}
	return nil
}

// Serving implements domain.State. It is sorted here, when somebody asks, not with every event.
func (s *store) Serving(a domain.AgreementID, i domain.InstrumentID) []*domain.Milestone {
	n, ok := s.agreements[a]
	if !ok {
		return nil
	}
	list := make([]*domain.Milestone, 0, len(n.serving[i]))
	for _, m := range n.serving[i] {
		list = append(list, m.entity)
	}
	slices.SortFunc(list, func(x, y *domain.Milestone) int {
		return cmp.Or(cmp.Compare(x.Ref.Project, y.Ref.Project), cmp.Compare(x.Ref.Milestone, y.Ref.Milestone))
	})
	return list
}

// Milestones implements domain.State.
func (s *store) Milestones(in domain.ProjectRef) []*domain.Milestone {
	p := s.projectNode(in)
	if p == nil {
		return nil
	}
	list := make([]*domain.Milestone, 0, len(p.milestones))
	for _, m := range p.milestones {
		list = append(list, m.entity)
	}
	slices.SortFunc(list, func(x, y *domain.Milestone) int { return cmp.Compare(x.Ref.Milestone, y.Ref.Milestone) })
	return list
}

func (s *store) projectNode(ref domain.ProjectRef) *projectNode {
	a, ok := s.agreements[ref.Agreement]
	if !ok {
		return nil
	}
	if i, ok := a.find(ref.Project); ok {
		return a.projects[i]
	}
	return nil
}
