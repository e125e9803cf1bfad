package projections

import (
	"slices"
	"strings"

	"tandem/domain"
)

// agreementNode is an agreement with its projects and the index of its events.
type agreementNode struct {
	id                domain.AgreementID
	entity            *domain.Agreement // nil before its first event
	index             *eventIndex
	listedFor         []domain.PartnerID // partners whose lists hold it; kept apart because the entity changes in place during a replay
	awaitedSignatures []awaitedSignature
	projects          []*projectNode // sorted by id
	serving           map[domain.InstrumentID][]*milestoneNode
	public            []*milestoneNode
	title             string       // present
	formerTitles      titleHistory // of the agreement, its projects and milestones
}

// awaitedSignature states since when a party's signature is awaited.
type awaitedSignature struct {
	Partner domain.PartnerID
	At      int64 // microseconds since 1970
}

// projectNode is a project and its milestones.
type projectNode struct {
	id               domain.ProjectID
	entity           *domain.Project // nil before its first event
	agreement        *agreementNode
	participantsCode uint16             // code of the participants in the index
	listedFor        []domain.PartnerID // participants that the code and the lists are made for
	title            string             // present
	milestones       map[domain.MilestoneID]*milestoneNode
}

// milestoneNode is a milestone with its history.
type milestoneNode struct {
	entity           *domain.Milestone
	project          *projectNode
	title            string              // present
	due              domain.Date         // by which lists are sorted
	public           bool                // it is in the agreement's list of public milestones
	accepted         bool                // the last move is an acceptance
	moves            []byte              // encoded dateMoves; append-only
	servesInstrument domain.InstrumentID // in whose list of serving milestones it is
	history          []uint32            // places in the agreement's index
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

// readers returns the partners that can see the agreement: its parties and the invited partners.
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
