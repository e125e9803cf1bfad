package http

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tandem/bus"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
)

// unfinished answers when the outcome did not come. A command that is sure to be decided is
// accepted; otherwise the client learns where to ask.
func (q *writing) unfinished(in *intent, err error) error {
	if !errors.Is(err, bus.ErrOutcomeUnknown) {
		return err
	}
	if !q.Image.Intact(in.command.Stream()) {
		return errHistoryLost // meanwhile; it is not sure that it will ever be decided
	}
	id := q.keys.seal(q.actor(), receipt{q.id, eventlog.PartitionOf(in.command.Stream().Root()), q.now, in.path})
	q.c.Response().Header()["Location"] = []string{"/v1/commands/" + id}
	if !q.DurableInbox || !errors.Is(err, bus.ErrPending) {
		return err
	}
	q.tellPosition()
	return q.writeJSON(http.StatusAccepted, Command{ID: id, State: "pending"})
}

func (in *intent) refusal(e *domain.Error) error {
	if in.refused != nil {
		return in.refused(e)
	}
	return e
}

// answer tells the resource: as it is now after a command, as it was then after a repeat.
func (q *writing) answer(in *intent, result bus.Result) error {
	h := q.c.Response().Header()
	if in.status == http.StatusNoContent {
		q.tellPosition()
		return q.c.NoContent(in.status)
	}
	if in.place != nil {
		_ = q.Image.View(q.who.Viewer, func(v *projections.View) error { // never an error
			in.path = in.place(v)
			return nil
		})
	}
	if in.status == http.StatusCreated {
		h["Location"] = []string{in.path}
	}
	out, err := q.resource(in, result)
	if err != nil {
		return q.vanished(err)
	}
	out.headers(h)
	q.write(in.status, jsonType, out.body)
	return nil
}

func (q *writing) resource(in *intent, result bus.Result) (reply, error) {
	viewer := q.who.Viewer
	if in.as != nil {
		viewer = *in.as
	}
	if !result.Repeat && in.as == nil && in.show == nil {
		page, err := q.Image.Page(viewer, in.path, in.read)
		if err != nil {
			return reply{}, err
		}
		return replyOf(page), nil
	}
	var a projections.Answer
	read := func(v *projections.View) (err error) { a, err = in.read(v); return err }
	var err error
	if result.Repeat || in.as != nil {
		err = q.Image.AsOf(q.r.Context(), viewer, in.command.Stream(), result.Seq, read)
	} else {
		err = q.Image.View(viewer, read)
	}
	if err == nil && in.show != nil {
		a.Body, err = in.show(q.r.Context(), a.Body)
	}
	if err != nil {
		return reply{}, err
	}
	return q.render(a)
}

// vanished answers a command that succeeded on something that the caller cannot read any more,
// because another command came in between.
func (q *writing) vanished(err error) error {
	if refusalOf(err) != errNotFound {
		return err
	}
	q.tellPosition()
	return q.c.NoContent(http.StatusNoContent)
}

// prefer is what RFC 7240 preferences ask for.
type prefer struct {
	wait    time.Duration
	applied string
}

func (q *writing) preferences() prefer {
	p := prefer{wait: defaultWait}
	for _, line := range q.r.Header["Prefer"] {
		for preference := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(preference), "=")
			switch strings.ToLower(name) {
			case "wait":
				if seconds, err := strconv.Atoi(strings.Trim(value, `"`)); err == nil && seconds >= 0 {
					p.wait = min(time.Duration(seconds)*time.Second, maxWait)
					p.applied = "wait=" + strconv.Itoa(int(p.wait/time.Second))
				}
			case "respond-async":
				if q.DurableInbox {
					return prefer{applied: "respond-async"}
				}
			}
		}
	}
	return p
}

func (p prefer) tell(q *writing) {
	if p.applied != "" {
		q.c.Response().Header()["Preference-Applied"] = []string{p.applied}
	}
}
