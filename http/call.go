package http

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tandem/domain"
	"tandem/projections"
)

// call is one request on its way through its handler.
type call struct {
	*Server
	c   echo.Context
	r   *http.Request
	rt  *route // nil when no route matched
	who *projections.Identity
	now time.Time
}

// endpoint wraps a route's handler: token, answer to errors, panics, metrics.
func (s *Server) endpoint(rt *route, m *routeMetrics) echo.HandlerFunc {
	return func(c echo.Context) error {
		q := &call{Server: s, c: c, r: c.Request(), rt: rt, now: s.Now()}
		defer q.finish(m)
		if err := q.serve(); err != nil {
			q.fail(err)
		}
		return nil
	}
}

// finish counts the request and turns a panic into a problem.
func (q *call) finish(m *routeMetrics) {
	if p := recover(); p != nil {
		q.fail(panicked(p))
	}
	m.observe(q.c.Response().Status, q.Now().Sub(q.now))
}

func (q *call) serve() error {
	if !q.rt.open {
		if err := q.authenticate(); err != nil {
			return err
		}
	}
	return q.rt.handle(q)
}

// unrouted answers what no route matched: an unknown path or method. Under /v1 the token comes
// first, so that without one every path looks the same.
func (s *Server) unrouted(err error, c echo.Context) {
	q := &call{Server: s, c: c, r: c.Request(), now: s.Now()}
	defer q.finish(s.metrics.unrouted)
	if strings.HasPrefix(q.r.URL.Path, "/v1/") {
		if refusal := q.authenticate(); refusal != nil {
			q.fail(refusal)
			return
		}
	}
	q.fail(err)
}

// authenticate finds out who calls. The token is looked up by its SHA-256, so the look-up's
// duration says nothing about a token.
func (q *call) authenticate() error {
	token, ok := bearer(q.r.Header["Authorization"])
	if !ok {
		return errNoToken
	}
	old, err := q.upToDate()
	if err != nil {
		return err // it would not see a revocation
	}
	known := q.holds(sha256.Sum256([]byte(token)))
	switch {
	case old != nil:
		return old
	case !known:
		return errBadToken
	case !q.who.Operator && !q.Image.Intact(domain.Stream{Partner: q.who.Partner}):
		return errHistoryLost // and with it perhaps the end of the token
	}
	return nil
}

// upToDate refuses to tell the present when this node may not know it: old, when it has not heard of the
// log lately; err, when it will not any more.
func (q *call) upToDate() (old, err error) {
	if why := q.Fresh(); why != nil {
		old = unavailable("stale", "What this node knows may be out of date: "+why.Error()+".", nil)
	}
	if err := q.Image.Health(); err != nil {
		return old, unavailable("unavailable", "This node does not follow the log any more.", err)
	}
	return old, nil
}

// holds finds out who holds the token, if anybody does.
func (q *call) holds(hash [sha256.Size]byte) (known bool) {
	if q.who, known = q.Image.Authenticate(hash, q.now); known {
		return true
	}
	none := [sha256.Size]byte{}
	if q.OperatorTokenHash != none && subtle.ConstantTimeCompare(hash[:], q.OperatorTokenHash[:]) == 1 {
		q.who = q.operator
		return true
	}
	return false
}

func bearer(headers []string) (string, bool) {
	const scheme = "Bearer "
	if len(headers) != 1 || len(headers[0]) <= len(scheme) || !strings.EqualFold(headers[0][:len(scheme)], scheme) {
		return "", false
	}
	return headers[0][len(scheme):], true
}

// actor is the caller as the domain knows it.
func (q *call) actor() domain.Actor {
	return domain.Actor{
		Partner: q.who.Partner, Member: q.who.Member, Role: q.who.Role, ViaOperator: q.who.ViaOperator,
	}
}

// header returns a request header's value. The name must be in canonical form.
func (q *call) header(name string) string {
	if v := q.r.Header[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func (q *call) partner() domain.PartnerID { return domain.PartnerID(q.c.Param("partner")) }

func (q *call) agreement() domain.AgreementID { return domain.AgreementID(q.c.Param("agreement")) }

func (q *call) instrument() domain.InstrumentID { return domain.InstrumentID(q.c.Param("instrument")) }

func (q *call) project() domain.ProjectRef {
	return domain.ProjectRef{Agreement: q.agreement(), Project: domain.ProjectID(q.c.Param("project"))}
}

func (q *call) milestone() domain.MilestoneRef {
	p := q.project()
	return domain.MilestoneRef{
		Agreement: p.Agreement, Project: p.Project, Milestone: domain.MilestoneID(q.c.Param("milestone")),
	}
}
