package http

import (
	"fmt"
	"net/http"
	"strconv"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
)

func changeRoutes() []*route {
	action := func(path, summary, callers string, handler *bodyHandler) *route {
		return changeRoute(http.MethodPost, lastSegment(path)+"Change", path, summary, callers, changeVisible, api.Change{}, handler)
	}
	return []*route{
		readRoute("listChanges", "/v1/agreements/{agreement}/projects/{project}/changes", "The project's change requests, by number", anyParticipant, projectVisible,
			api.Changes{}, listChanges, listParameters()...),
		createRoute("proposeChange", "/v1/agreements/{agreement}/projects/{project}/changes", "Propose to agree on milestones, change or cancel agreed ones, or publish some; requires every owner and acceptor, before and after the change, and for a publication every participant",
			participants, projectVisible, api.Change{}, command(proposeChange)),
		readRoute("getChange", "/v1/agreements/{agreement}/projects/{project}/changes/{change}", "One change request; approvals shows who has approved", anyParticipant, changeVisible,
			api.Change{}, getChange),
		action("/v1/agreements/{agreement}/projects/{project}/changes/{change}/approve", "Approve for the own partner; the request takes effect with the last approval", affected, command(approveChange)),
		action("/v1/agreements/{agreement}/projects/{project}/changes/{change}/reject", "Reject, with a reason; this closes the request", affected, command(rejectChange)),
		action("/v1/agreements/{agreement}/projects/{project}/changes/{change}/withdraw", "Withdraw the own partner's request", proposer, command(withdrawChange)),
	}
}

// change returns the number of the change request in the path, which contains the number, or the idempotency key's
// derived name before the number is known; 0: there is none.
func (c *call) change(view *projections.View) int {
	ref, name := c.project(), c.echoCtx.Param("change")
	if n, err := strconv.Atoi(name); err == nil {
		if strconv.Itoa(n) != name {
			return 0
		}
		return n
	}
	return view.ChangeNumber(ref.Agreement, ref.Project, name)
}

func changeVisible(req *call, view *projections.View) bool {
	ref := req.project()
	_, ok := view.Change(ref.Agreement, ref.Project, req.change(view))
	return ok
}

func changePath(ref domain.ProjectRef, number int) string {
	return joinPath(projectPath(ref)+"/changes", strconv.Itoa(number))
}

func listChanges(req *call, view *projections.View) (projections.Answer, error) {
	query, err := req.parseQuery()
	if err != nil {
		return projections.Answer{}, err
	}
	ref := req.project()
	list, next := paginate(query, view.Changes(ref.Agreement, ref.Project), func(change api.Change) string { return fmt.Sprintf("%09d", change.Number) })
	return projections.Answer{
		Version: view.AgreementVersion(ref.Agreement), Agreement: ref.Agreement,
		Body: api.Changes{Agreement: ref.Agreement, Project: ref.Project, Changes: list, NextCursor: next},
	}, query.err()
}

func getChange(req *call, view *projections.View) (projections.Answer, error) {
	if _, err := req.queryValues(); err != nil {
		return projections.Answer{}, err
	}
	return readChange(req.project(), req.change)(view)
}

// readChange reads the change request whose number is determined in the view.
func readChange(ref domain.ProjectRef, number func(*projections.View) int) resourceReader {
	return func(view *projections.View) (projections.Answer, error) {
		change, ok := view.Change(ref.Agreement, ref.Project, number(view))
		if !ok {
			return projections.Answer{}, errNotFound
		}
		return projections.Answer{Version: change.Version, Body: change, Agreement: ref.Agreement}, nil
	}
}

func proposeChange(req *writeCall, body *api.NewChange) (*intent, error) {
	ref, key := req.project(), "c-"+req.derive.suffix("change", req.commandID, 0)
	command := domain.ProposeChange{ProjectRef: ref, Key: key, Reason: body.Reason, Publish: body.Publish}
	for _, wanted := range body.Milestones {
		acceptors, err := chosenAcceptors(wanted.Acceptors, false)
		if err != nil {
			return nil, err
		}
		title := ""
		if wanted.Title != nil {
			if title = *wanted.Title; title == "" {
				return nil, invalid(domain.NewFieldError("title", "required"))
			}
		}
		command.Milestones = append(command.Milestones, domain.WantedChange{Milestone: wanted.ID, Cancel: wanted.Cancel, To: domain.ChangeFields{
			Title: title, Description: wanted.Description, DueOn: wanted.DueOn, Owner: wanted.Owner, Acceptors: acceptors,
			Criteria: wanted.Criteria, Instrument: wanted.Instrument, ScheduleItem: wanted.ScheduleItem, Clause: wanted.Clause,
		}})
	}
	number := func(view *projections.View) int { return view.ChangeNumber(ref.Agreement, ref.Project, key) }
	return &intent{
		command: command, status: http.StatusCreated, path: joinPath(projectPath(ref)+"/changes", key), read: readChange(ref, number),
		findPath: func(view *projections.View) string { return changePath(ref, number(view)) },
	}, nil
}

// changeIntent returns the intent of a command on the existing change request in the path.
func (c *writeCall) changeIntent(commandOn func(number int) domain.Command) *intent {
	var number int
	_ = c.cfg.ReadModel.View(c.caller.Viewer, func(view *projections.View) error { // the function returns no error
		number = c.change(view)
		return nil
	})
	ref := c.project()
	return &intent{
		command: commandOn(number), status: http.StatusOK, path: changePath(ref, number),
		read: readChange(ref, func(*projections.View) int { return number }),
	}
}

func approveChange(req *writeCall, _ *api.Nothing) (*intent, error) {
	return req.changeIntent(func(n int) domain.Command {
		return domain.ApproveChange{ChangeRef: domain.ChangeRef{ProjectRef: req.project(), Number: n}}
	}), nil
}

func rejectChange(req *writeCall, body *api.ChangeRefusal) (*intent, error) {
	return req.changeIntent(func(n int) domain.Command {
		return domain.RejectChange{ChangeRef: domain.ChangeRef{ProjectRef: req.project(), Number: n}, Reason: body.Reason}
	}), nil
}

func withdrawChange(req *writeCall, body *api.Withdrawing) (*intent, error) {
	return req.changeIntent(func(n int) domain.Command {
		return domain.WithdrawChange{ChangeRef: domain.ChangeRef{ProjectRef: req.project(), Number: n}, Reason: body.Reason}
	}), nil
}
