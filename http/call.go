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

// call is one request while it is handled.
type call struct {
	*Server
	echoCtx echo.Context
	request *http.Request
	route   *route // nil if no route matched
	caller  *projections.Identity
	now     time.Time
}

// endpoint wraps a route's handler with authentication, problem responses, panic recovery and metrics.
func (s *Server) endpoint(rt *route, counters *routeMetrics) echo.HandlerFunc {
	return func(ctx echo.Context) error {
		req := &call{Server: s, echoCtx: ctx, request: ctx.Request(), route: rt, now: s.cfg.Now()}
		defer req.finish(counters)
		if err := req.serve(); err != nil {
			req.writeProblem(err)
		}
		return nil
	}
}

// finish counts the request and turns a panic into a problem response.
func (c *call) finish(counters *routeMetrics) {
	if recovered := recover(); recovered != nil {
		c.writeProblem(panicError(recovered))
	}
	counters.observe(c.echoCtx.Response().Status, c.cfg.Now().Sub(c.now))
}

func (c *call) serve() error {
	if !c.route.anonymous {
		if err := c.authenticate(); err != nil {
			return err
		}
	}
	return c.route.handle(c)
}

// serveUnrouted responds to unknown paths and methods. Under /v1 it checks the token first, so that without a token
// all paths look the same.
func (s *Server) serveUnrouted(err error, ctx echo.Context) {
	req := &call{Server: s, echoCtx: ctx, request: ctx.Request(), now: s.cfg.Now()}
	defer req.finish(s.metrics.unrouted)
	if strings.HasPrefix(req.request.URL.Path, "/v1/") {
		if refusal := req.authenticate(); refusal != nil {
			req.writeProblem(refusal)
			return
		}
	}
	req.writeProblem(err)
}

// authenticate identifies the caller. The token is looked up by its SHA-256, so the duration of the lookup does not
// depend on the token's characters.
func (c *call) authenticate() error {
	token, ok := bearer(c.request.Header["Authorization"])
	if !ok {
		return errNoToken
	}
	stale, err := c.checkFresh()
	if err != nil {
		return err // this node would miss a revocation
	}
	found := c.lookUpToken(sha256.Sum256([]byte(token)))
	switch {
	case stale != nil:
		return stale
	case !found:
		return errBadToken
	case !c.caller.Operator && !c.cfg.ReadModel.Intact(domain.Stream{Partner: c.caller.Partner}):
		return errHistoryLost // which may include the revocation of this token
	}
	return nil
}

// checkFresh returns stale if this node has not read the log recently, and err if it no longer follows the log.
func (c *call) checkFresh() (stale, err error) {
	if why := c.cfg.Fresh(); why != nil {
		stale = unavailable("stale", "The data of this node may be out of date: "+why.Error()+".", nil)
	}
	if err := c.cfg.ReadModel.Health(); err != nil {
		return stale, unavailable("unavailable", "This node no longer follows the log.", err)
	}
	return stale, nil
}

// lookUpToken sets the caller from the token's hash and reports whether the token is known.
func (c *call) lookUpToken(hash [sha256.Size]byte) (known bool) {
	if c.caller, known = c.cfg.ReadModel.Authenticate(hash, c.now); known {
		return true
	}
	none := [sha256.Size]byte{}
	if c.cfg.OperatorTokenHash != none && subtle.ConstantTimeCompare(hash[:], c.cfg.OperatorTokenHash[:]) == 1 {
		c.caller = c.operator
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

// actor returns the caller as a domain actor.
func (c *call) actor() domain.Actor {
	return domain.Actor{
		Partner: c.caller.Partner, Member: c.caller.Member, Role: c.caller.Role, ViaOperator: c.caller.ViaOperator,
		Confirmed: c.caller.Confirmed, MaySign: c.caller.MaySign,
	}
}

// header returns the value of a request header. The name must be in canonical form.
func (c *call) header(name string) string {
	if values := c.request.Header[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

func (c *call) partner() domain.PartnerID { return domain.PartnerID(c.echoCtx.Param("partner")) }

func (c *call) agreement() domain.AgreementID {
	return domain.AgreementID(c.echoCtx.Param("agreement"))
}

func (c *call) instrument() domain.InstrumentID {
	return domain.InstrumentID(c.echoCtx.Param("instrument"))
}

func (c *call) project() domain.ProjectRef {
	return domain.ProjectRef{Agreement: c.agreement(), Project: domain.ProjectID(c.echoCtx.Param("project"))}
}

func (c *call) milestone() domain.MilestoneRef {
	project := c.project()
	return domain.MilestoneRef{
		Agreement: project.Agreement, Project: project.Project, Milestone: domain.MilestoneID(c.echoCtx.Param("milestone")),
	}
}
