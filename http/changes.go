package http

import (
	"fmt"
	"net/http"
	"strconv"

	"tandem/domain"
	"tandem/projections"
)

const (
	changesPath   = "/v1/agreements/{agreement}/projects/{project}/changes"
	oneChangePath = changesPath + "/{change}"
)

func changeRoutes() []*route {
	action := func(name, summary, callers string, w *writer) *route {
		return change(http.MethodPost, name+"Change", oneChangePath+"/"+name, summary, callers, seesChange, projections.Change{}, w)
	}
	return []*route{
		read("listChanges", changesPath, "The project's change requests, by number", anyParticipant, seesProject,
			projections.Changes{}, listChanges, lists()...),
		create("proposeChange", changesPath, "Propose to agree milestones, to change or cancel agreed ones, or to make some public; it takes every owner and acceptor, before and after, and for what becomes public every participant",
			participants, seesProject, projections.Change{}, writes(proposeChange)),
		read("getChange", oneChangePath, "One change request; approvals shows who has approved", anyParticipant, seesChange,
			projections.Change{}, getChange),
		action("approve", "Approve for one's partner; the last approval makes all of it binding, and public what is published", concerned, writes(approveChange)),
		action("reject", "Reject, with a reason; this closes the request", concerned, writes(rejectChange)),
		action("withdraw", "Take back one's own request", proposer, writes(withdrawChange)),
	}
}

// change returns the number of the request in the path, which names it by its number, or by its key
// before the number was known; 0: there is none.
func (q *call) change(v *projections.View) int {
	ref, name := q.project(), q.c.Param("change")
	if n, err := strconv.Atoi(name); err == nil {
		if strconv.Itoa(n) != name {
			return 0
		}
		return n
	}
	return v.ChangeNumber(ref.Agreement, ref.Project, name)
}

func seesChange(q *call, v *projections.View) bool {
	ref := q.project()
	_, ok := v.Change(ref.Agreement, ref.Project, q.change(v))
	return ok
}

func changePath(ref domain.ProjectRef, number int) string {
	return path(projectPath(ref)+"/changes", strconv.Itoa(number))
}

func listChanges(q *call, v *projections.View) (projections.Answer, error) {
	a, err := q.asked()
	if err != nil {
		return projections.Answer{}, err
	}
	ref := q.project()
	list, next := part(a, v.Changes(ref.Agreement, ref.Project), func(c projections.Change) string { return fmt.Sprintf("%09d", c.Number) })
	return projections.Answer{
		Version: v.AgreementVersion(ref.Agreement), Agreement: ref.Agreement,
		Body: projections.Changes{Agreement: ref.Agreement, Project: ref.Project, Changes: list, NextCursor: next},
	}, a.err()
}

func getChange(q *call, v *projections.View) (projections.Answer, error) {
	if _, err := q.parameters(); err != nil {
		return projections.Answer{}, err
	}
	return readChange(q.project(), q.change)(v)
}

// readChange reads a request whose number is found in the view.
func readChange(ref domain.ProjectRef, number func(*projections.View) int) reader {
	return func(v *projections.View) (projections.Answer, error) {
		c, ok := v.Change(ref.Agreement, ref.Project, number(v))
		if !ok {
			return projections.Answer{}, errNotFound
		}
		return projections.Answer{Version: c.Version, Body: c, Agreement: ref.Agreement}, nil
	}
}

// NewChange is the body that proposes a change.
type NewChange struct {
	Reason     string               `json:"reason" maxLength:"2000"`
	Milestones []MilestoneWanted    `json:"milestones,omitempty" maxItems:"100" doc:"Can be absent when something is published."`
	Publish    []domain.MilestoneID `json:"publish,omitempty" maxItems:"100" doc:"Milestones that become public. It takes every participant, and nothing takes it back: from then on everybody sees their title, owner, acceptors, state and dates as they are and become."`
}

// MilestoneWanted says what a change request wants of one milestone; what is absent stays. With nothing
// but an id the milestone's present plan is to be agreed.
type MilestoneWanted struct {
	ID        domain.MilestoneID  `json:"id"`
	DueOn     domain.Date         `json:"due_on,omitzero"`
	Owner     domain.PartnerID    `json:"owner,omitempty"`
	Acceptors *[]domain.PartnerID `json:"acceptors,omitempty" minItems:"1"`
	Criteria  *[]string           `json:"criteria,omitempty" maxItems:"100"`
	Cancel    bool                `json:"cancel,omitempty" doc:"Goes without other fields."`
}

func proposeChange(q *writing, b *NewChange) (*intent, error) {
	ref, key := q.project(), "c-"+q.keys.suffix("change", q.id, 0)
	c := domain.ProposeChange{Ref: ref, Key: key, Reason: b.Reason, Publish: b.Publish}
	for _, m := range b.Milestones {
		w := domain.WantedChange{Milestone: m.ID, Cancel: m.Cancel, To: domain.ChangeFields{DueOn: m.DueOn, Owner: m.Owner, Criteria: m.Criteria}}
		acceptors, err := chosen(m.Acceptors, false)
		if err != nil {
			return nil, err
		}
		w.To.Acceptors = acceptors
		c.Milestones = append(c.Milestones, w)
	}
	number := func(v *projections.View) int { return v.ChangeNumber(ref.Agreement, ref.Project, key) }
	return &intent{
		command: c, status: http.StatusCreated, path: path(projectPath(ref)+"/changes", key), read: readChange(ref, number),
		place: func(v *projections.View) string { return changePath(ref, number(v)) },
	}, nil
}

// onChange is the intent of a command on the request in the path, which there is.
func (q *writing) onChange(c func(number int) domain.Command) *intent {
	var number int
	_ = q.Image.View(q.who.Viewer, func(v *projections.View) error { // never an error
		number = q.change(v)
		return nil
	})
	ref := q.project()
	return &intent{
		command: c(number), status: http.StatusOK, path: changePath(ref, number),
		read: readChange(ref, func(*projections.View) int { return number }),
	}
}

func approveChange(q *writing, _ *Nothing) (*intent, error) {
	return q.onChange(func(n int) domain.Command { return domain.ApproveChange{Ref: q.project(), Number: n} }), nil
}

// ChangeRefusal is the body that rejects a change request.
type ChangeRefusal struct {
	Reason string `json:"reason" maxLength:"2000"`
}

func rejectChange(q *writing, b *ChangeRefusal) (*intent, error) {
	return q.onChange(func(n int) domain.Command {
		return domain.RejectChange{Ref: q.project(), Number: n, Reason: b.Reason}
	}), nil
}

func withdrawChange(q *writing, _ *Nothing) (*intent, error) {
	return q.onChange(func(n int) domain.Command { return domain.WithdrawChange{Ref: q.project(), Number: n} }), nil
}
