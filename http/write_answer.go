package http

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tandem/api"
	"tandem/bus"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
)

// answerUnknownOutcome responds if no outcome arrived in time: 202 if the command is durable in its queue, otherwise
// 503 with the advice to repeat the request.
func (c *writeCall) answerUnknownOutcome(intent *intent, err error) error {
	if !errors.Is(err, bus.ErrOutcomeUnknown) {
		return err
	}
	if !c.cfg.ReadModel.Intact(intent.command.Stream()) {
		return errHistoryLost // the loss occurred meanwhile; the command may never be decided
	}
	sent := ticket{id: c.commandID, root: eventlog.PartitionOf(intent.command.Stream().Root()), sentAt: c.now, path: intent.path}
	if intent.ifTaken != nil {
		sent.pathIfTaken = intent.ifTaken.path
	}
	id := c.derive.sealTicket(c.actor(), sent)
	c.echoCtx.Response().Header()["Location"] = []string{"/v1/commands/" + id}
	if !c.cfg.DurableQueue || !errors.Is(err, bus.ErrPending) {
		return err
	}
	c.setPosition()
	return c.writeJSON(http.StatusAccepted, api.Command{ID: id, State: "pending"})
}

func (in *intent) refusal(rejection *domain.Error) error {
	if in.mapRejection != nil {
		return in.mapRejection(rejection)
	}
	return rejection
}

// writeAnswer sends the resource: its current state after a command, the state as of its commit after a repeat.
func (c *writeCall) writeAnswer(intent *intent, result bus.Result) error {
	header := c.echoCtx.Response().Header()
	if intent.status == http.StatusNoContent {
		c.setPosition()
		return c.echoCtx.NoContent(intent.status)
	}
	if intent.ifTaken != nil && c.created(intent.ifTaken, result) {
		intent = intent.ifTaken
	}
	if intent.findPath != nil {
		_ = c.cfg.ReadModel.View(c.caller.Viewer, func(view *projections.View) error { // the function returns no error
			intent.path = intent.findPath(view)
			return nil
		})
	}
	if intent.status == http.StatusCreated {
		header["Location"] = []string{intent.path}
	}
	out, err := c.renderResource(intent, result)
	if err != nil {
		return c.answerHidden(err)
	}
	out.setHeaders(header)
	c.write(intent.status, jsonType, out.body)
	return nil
}

// created reports whether the command has created the resource of the plan.
func (c *writeCall) created(intent *intent, result bus.Result) bool {
	read := func(view *projections.View) error { _, err := intent.read(view); return err }
	return c.cfg.ReadModel.AsOf(c.request.Context(), c.caller.Viewer, intent.command.Stream(), result.Seq, read) == nil
}

func (c *writeCall) renderResource(intent *intent, result bus.Result) (reply, error) {
	viewer := c.caller.Viewer
	if intent.readAs != nil {
		viewer = *intent.readAs
	}
	if !result.Repeat && intent.readAs == nil && intent.complete == nil {
		page, err := c.cfg.ReadModel.Page(viewer, intent.path, intent.read)
		if err != nil {
			return reply{}, err
		}
		return pageReply(page), nil
	}
	var answer projections.Answer
	read := func(view *projections.View) (err error) { answer, err = intent.read(view); return err }
	var err error
	if result.Repeat || intent.readAs != nil {
		err = c.cfg.ReadModel.AsOf(c.request.Context(), viewer, intent.command.Stream(), result.Seq, read)
	} else {
		err = c.cfg.ReadModel.View(viewer, read)
	}
	if err == nil && intent.complete != nil {
		answer.Body, err = intent.complete(c.request.Context(), answer.Body)
	}
	if err != nil {
		return reply{}, err
	}
	return c.render(answer)
}

// answerHidden responds to a successful command whose resource the caller can no longer see, because of a concurrent
// command.
func (c *writeCall) answerHidden(err error) error {
	if toRefusal(err) != errNotFound {
		return err
	}
	c.setPosition()
	return c.echoCtx.NoContent(http.StatusNoContent)
}

// preferences are the parsed preferences of the request (RFC 7240).
type preferences struct {
	wait    time.Duration
	applied string
}

func (c *writeCall) parsePrefer() preferences {
	prefs := preferences{wait: defaultWait}
	for _, line := range c.request.Header["Prefer"] {
		for preference := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(preference), "=")
			switch strings.ToLower(name) {
			case "wait":
				if seconds, err := strconv.Atoi(strings.Trim(value, `"`)); err == nil && seconds >= 0 {
					prefs.wait = min(time.Duration(seconds)*time.Second, maxWait)
					prefs.applied = "wait=" + strconv.Itoa(int(prefs.wait/time.Second))
				}
			case "respond-async":
				if c.cfg.DurableQueue {
					return preferences{applied: "respond-async"}
				}
			}
		}
	}
	return prefs
}

func (p preferences) setHeader(req *writeCall) {
	if p.applied != "" {
		req.echoCtx.Response().Header()["Preference-Applied"] = []string{p.applied}
	}
}
