package projections

import (
	"slices"
	"strings"

	"tandem/domain"
)

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
