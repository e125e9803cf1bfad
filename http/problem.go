package http

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/labstack/echo/v4"

	"tandem/bus"
	"tandem/domain"
	"tandem/projections"
)

// Problem is the answer to a request that was refused or failed (RFC 9457).
type Problem struct {
	Type      string              `json:"type" format:"uri-reference" doc:"Names the rule, like code."`
	Title     string              `json:"title"`
	Status    int                 `json:"status"`
	Detail    string              `json:"detail"`
	Code      string              `json:"code" doc:"Stable, for programs."`
	Errors    []domain.FieldError `json:"errors" doc:"What is wrong with which field; empty unless fields are."`
	RequestID string              `json:"request_id" doc:"The log has it beside the cause."`
}

// refusal is an error with its answer.
type refusal struct {
	status int
	code   string
	detail string
	fields []domain.FieldError
	retry  int   // seconds that Retry-After tells; 0: it is not told
	cause  error // for the log only
}

func (e *refusal) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.code, e.detail, e.cause)
	}
	return e.code + ": " + e.detail
}

func (e *refusal) Unwrap() error { return e.cause }

func refuse(status int, code, format string, args ...any) *refusal {
	return &refusal{status: status, code: code, detail: fmt.Sprintf(format, args...)}
}

// unavailable is a refusal that a repeat may not meet.
func unavailable(code, detail string, cause error) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, code: code, detail: detail, retry: 1, cause: cause}
}

// suspended is a refusal that a repeat meets until somebody has done something about it.
func suspended(code, detail string, cause error) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, code: code, detail: detail, retry: 60, cause: cause}
}

// invalid refuses values of fields or parameters.
func invalid(fields ...domain.FieldError) *refusal {
	return &refusal{
		status: http.StatusUnprocessableEntity, code: "invalid_field",
		detail: fields[0].Field + " " + fields[0].Message, fields: fields,
	}
}

// The refusals that carry no facts.
var (
	errNoToken  = refuse(http.StatusUnauthorized, "unauthenticated", "A bearer token is needed.")
	errBadToken = refuse(http.StatusUnauthorized, "invalid_token", "The token is unknown, expired or revoked.")
	errNotFound = refuse(http.StatusNotFound, "not_found", "There is nothing here that you can see.")
)

// statusOf maps the domain's kinds of refusal; it is the only such table.
func statusOf(k domain.Kind) int {
	switch k {
	case domain.Invalid:
		return http.StatusUnprocessableEntity
	case domain.Forbidden:
		return http.StatusForbidden
	case domain.NotFound:
		return http.StatusNotFound
	case domain.Precondition:
		return http.StatusPreconditionFailed
	case domain.Conflict:
		return http.StatusConflict
	}
	return http.StatusInternalServerError
}

// refusalOf finds the answer to any error. What it does not know is a fault of the program.
func refusalOf(err error) *refusal {
	var known *refusal
	var rule *domain.Error
	var routing *echo.HTTPError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &rule):
		return refusalOfRule(rule)
	case errors.As(err, &routing):
		return refusalOfRouting(routing)
	case errors.Is(err, bus.ErrKeyReused):
		return refuse(http.StatusUnprocessableEntity, "idempotency_key_reused",
			"This Idempotency-Key was used for another request within the last 24 hours.")
	case errors.Is(err, bus.ErrOutcomeUnknown):
		return unavailable("outcome_unknown", "Whether it was done is not known yet. Repeat it with the same Idempotency-Key.", err)
	case errors.Is(err, bus.ErrUnavailable):
		return unavailable("unavailable", "Nothing was done; this node cannot handle commands now.", err)
	case errors.Is(err, projections.ErrCursor):
		return invalid(domain.FieldError{Field: "cursor", Message: "is not a cursor that this list gave"})
	case errors.Is(err, projections.ErrPosition):
		return refuse(http.StatusBadRequest, "invalid_position", "The position is not one that this server gave.")
	case errors.Is(err, projections.ErrPositionLost):
		return refuse(http.StatusGone, "position_lost",
			"History was lost since this position was given, and what it counts may be gone. Begin anew without it.")
	case errors.Is(err, projections.ErrUnreadable):
		return unavailable("log_unreachable", "The log did not answer; the server's own log has the cause under this request_id.", err)
	case errors.Is(err, context.Canceled):
		return unavailable("cancelled", "The request was given up.", err)
	}
	return &refusal{
		status: http.StatusInternalServerError, code: "internal",
		detail: "Something failed here; the log has the cause under this request_id.", cause: err,
	}
}

func refusalOfRule(e *domain.Error) *refusal {
	switch e.Kind {
	case domain.NotFound:
		return errNotFound
	case domain.Internal:
		return &refusal{
			status: http.StatusInternalServerError, code: "internal",
			detail: "The command failed and changed nothing; the log has the cause.", cause: e,
		}
	}
	return &refusal{status: statusOf(e.Kind), code: e.Code, detail: e.Detail, fields: e.Fields}
}

func refusalOfRouting(e *echo.HTTPError) *refusal {
	if e.Code == http.StatusMethodNotAllowed {
		return refuse(http.StatusMethodNotAllowed, "method_not_allowed", "This resource does not have this method; Allow lists those it has.")
	}
	return errNotFound
}

func panicked(p any) error { return fmt.Errorf("panic: %v\n%s", p, debug.Stack()) }

// fail answers with the problem that err is. Everything but 401 and 404 tells the position.
func (q *call) fail(err error) {
	e := refusalOf(err)
	id := q.requestID()
	if e.status >= 500 && e.cause != nil {
		q.Logger.Error("request failed", "request_id", id, "method", q.r.Method, "path", q.r.URL.Path,
			"status", e.status, "code", e.code, "error", e.cause)
	}
	if q.c.Response().Committed {
		return // a stream that broke off, or a panic after the answer began
	}
	h := q.c.Response().Header()
	if e.status == http.StatusUnauthorized {
		h["Www-Authenticate"] = challenge(e)
	} else if e.status != http.StatusNotFound {
		q.tellPosition()
	}
	if e.retry > 0 || e.status == http.StatusTooManyRequests {
		h["Retry-After"] = []string{strconv.Itoa(max(e.retry, 1))}
	}
	h["X-Request-Id"] = []string{id}
	body, err := json.Marshal(e.problem(id))
	if err != nil {
		q.Logger.Error("problem not encoded", "request_id", id, "error", err)
	}
	q.write(e.status, problemType, body)
}

func (e *refusal) problem(id string) Problem {
	title := strings.ToUpper(e.code[:1]) + strings.ReplaceAll(e.code[1:], "_", " ")
	return Problem{
		Type: "/docs#" + e.code, Title: title, Status: e.status, Detail: e.detail, Code: e.code,
		Errors: e.fields, RequestID: id,
	}
}

func challenge(e *refusal) []string {
	if e == errNoToken {
		return []string{`Bearer realm="tandem"`}
	}
	return []string{`Bearer realm="tandem", error="` + e.code + `"`}
}

// requestID returns the client's own id if it is short and printable, else a random one. It is no
// counter: how many requests others make is nobody's business.
func (q *call) requestID() string {
	if own := q.header("X-Request-Id"); own != "" && len(own) <= 128 && strings.Trim(own, requestIDs) == "" {
		return own
	}
	var b [12]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

const requestIDs = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/+="

// tellPosition sets Tandem-Position to how far this node has come, as the caller may know it.
func (q *call) tellPosition() {
	if q.who != nil {
		h := q.c.Response().Header()
		if h["Tandem-Position"] == nil {
			h["Tandem-Position"] = []string{q.Image.Position(q.who.Viewer, q.agreement())}
		}
	}
}
