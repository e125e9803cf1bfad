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

	"tandem/api"
	"tandem/bus"
	"tandem/domain"
	"tandem/projections"
)

// refusal is an error with its response.
type refusal struct {
	status     int
	code       string
	detail     string
	text       domain.Text // detail in a form that can be translated; zero: detail has no arguments
	fields     []domain.FieldError
	retryAfter int   // seconds for Retry-After; 0: no header
	cause      error // for the logger only
}

func (e *refusal) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.code, e.detail, e.cause)
	}
	return e.code + ": " + e.detail
}

func (e *refusal) Unwrap() error { return e.cause }

func refuse(status int, code, format string, args ...any) *refusal {
	return &refusal{status: status, code: code, detail: fmt.Sprintf(format, args...), text: domain.NewText(format, args...)}
}

// unavailable returns a 503 with Retry-After: a repeat may succeed.
func unavailable(code, detail string, cause error) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, code: code, detail: detail, retryAfter: 1, cause: cause}
}

// awaitingOperator returns a 503 that lasts until an operator has acted.
func awaitingOperator(code, detail string, cause error) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, code: code, detail: detail, retryAfter: 60, cause: cause}
}

// invalid returns a 422 for values of fields or parameters.
func invalid(fields ...domain.FieldError) *refusal {
	return &refusal{
		status: http.StatusUnprocessableEntity, code: "invalid_field",
		detail: fields[0].String(), text: domain.NewText("%s", fields[0]), fields: fields,
	}
}

// Refusals without details.
var (
	errNoToken  = refuse(http.StatusUnauthorized, "unauthenticated", "A bearer token is required.")
	errBadToken = refuse(http.StatusUnauthorized, "invalid_token", "The token is unknown, expired or revoked.")
	errNotFound = refuse(http.StatusNotFound, "not_found", "%s", domain.ErrNotFound().Detail)
)

// statusOf maps the domain's kinds of refusal to statuses. It is the only such table.
func statusOf(kind domain.Kind) int {
	switch kind {
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

// toRefusal returns the response to an error. Unknown errors are internal errors.
func toRefusal(err error) *refusal {
	var known *refusal
	var rule *domain.Error
	var routing *echo.HTTPError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &rule):
		return ruleRefusal(rule)
	case errors.As(err, &routing):
		return routingRefusal(routing)
	case errors.Is(err, bus.ErrKeyReused):
		return refuse(http.StatusUnprocessableEntity, "idempotency_key_reused",
			"This Idempotency-Key was used for another request within the last 24 hours.")
	case errors.Is(err, bus.ErrOutcomeUnknown):
		return unavailable("outcome_unknown", "The outcome is not known yet. Repeat the request with the same Idempotency-Key.", err)
	case errors.Is(err, bus.ErrUnavailable):
		return unavailable("unavailable", "This node cannot handle commands now. The request had no effect.", err)
	case errors.Is(err, projections.ErrCursor):
		return invalid(domain.FieldError{Field: "cursor", Message: "must be a cursor returned by this list"})
	case errors.Is(err, projections.ErrPosition):
		return refuse(http.StatusBadRequest, "invalid_position", "The position was not issued by this server.")
	case errors.Is(err, projections.ErrPositionLost):
		return refuse(http.StatusGone, "position_lost",
			"History was lost after this position was issued. Start again without a position.")
	case errors.Is(err, projections.ErrUnreadable):
		return unavailable("log_unreachable", "The log did not respond; the server's output has the cause under this request_id.", err)
	case errors.Is(err, context.Canceled):
		return unavailable("cancelled", "The request was cancelled.", err)
	}
	return &refusal{
		status: http.StatusInternalServerError, code: "internal",
		detail: "Internal error; the server's output has the cause under this request_id.", cause: err,
	}
}

func ruleRefusal(rejection *domain.Error) *refusal {
	switch rejection.Kind {
	case domain.NotFound:
		return errNotFound
	case domain.Internal:
		return &refusal{
			status: http.StatusInternalServerError, code: "internal",
			detail: "The command failed and changed nothing; the server's output has the cause.", cause: rejection,
		}
	}
	return &refusal{status: statusOf(rejection.Kind), code: rejection.Code, detail: rejection.Detail, text: rejection.Text, fields: rejection.Fields}
}

func routingRefusal(routingErr *echo.HTTPError) *refusal {
	if routingErr.Code == http.StatusMethodNotAllowed {
		return refuse(http.StatusMethodNotAllowed, "method_not_allowed", "The resource does not support this method; Allow lists the supported ones.")
	}
	return errNotFound
}

func panicError(recovered any) error { return fmt.Errorf("panic: %v\n%s", recovered, debug.Stack()) }

// writeProblem responds with the problem of err. All statuses but 401 and 404 carry the position.
func (c *call) writeProblem(err error) {
	refusal := toRefusal(err)
	id := c.requestID()
	if refusal.status >= 500 && refusal.cause != nil {
		c.cfg.Logger.Error("request failed", "request_id", id, "method", c.request.Method, "path", c.request.URL.Path,
			"status", refusal.status, "code", refusal.code, "error", refusal.cause)
	}
	if c.echoCtx.Response().Committed {
		return // a broken stream, or a panic after the response has started
	}
	header := c.echoCtx.Response().Header()
	if refusal.status == http.StatusUnauthorized {
		header["Www-Authenticate"] = challenge(refusal)
	} else if refusal.status != http.StatusNotFound {
		c.setPosition()
	}
	if refusal.retryAfter > 0 || refusal.status == http.StatusTooManyRequests {
		header["Retry-After"] = []string{strconv.Itoa(max(refusal.retryAfter, 1))}
	}
	header["X-Request-Id"] = []string{id}
	body, err := json.Marshal(c.problem(refusal, id))
	if err != nil {
		c.cfg.Logger.Error("problem not encoded", "request_id", id, "error", err)
	}
	c.write(refusal.status, problemType, body)
}

// problem returns the response to a refusal, with its texts in the language of the request.
func (c *call) problem(refused *refusal, id string) api.Problem {
	title := strings.ToUpper(refused.code[:1]) + strings.ReplaceAll(refused.code[1:], "_", " ")
	problem := api.Problem{
		Type: "/docs#" + refused.code, Title: title, Status: refused.status, Code: refused.code,
		Detail: c.book.Refusal(c.language(), refused.text, refused.detail), RequestID: id,
	}
	for _, field := range refused.fields {
		problem.Errors = append(problem.Errors, api.FieldError{
			Field: field.Field, Message: c.book.Refusal(c.language(), field.Text, field.Message),
		})
	}
	return problem
}

// language returns the language of the texts in the response: the query parameter language, otherwise English.
func (c *call) language() string { return c.request.URL.Query().Get("language") }

func challenge(refusal *refusal) []string {
	if refusal == errNoToken {
		return []string{`Bearer realm="tandem"`}
	}
	return []string{`Bearer realm="tandem", error="` + refusal.code + `"`}
}

// requestID returns the client's own id if it is short and printable, otherwise a random one. A counter would
// disclose the number of other clients' requests.
func (c *call) requestID() string {
	if own := c.header("X-Request-Id"); own != "" && len(own) <= 128 && strings.Trim(own, requestIDs) == "" {
		return own
	}
	var random [12]byte
	rand.Read(random[:]) // never fails
	return hex.EncodeToString(random[:])
}

const requestIDs = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/+="

// setPosition sets Tandem-Position to the position that this node has reached for the caller.
func (c *call) setPosition() {
	if c.caller != nil {
		header := c.echoCtx.Response().Header()
		if header["Tandem-Position"] == nil {
			header["Tandem-Position"] = []string{c.cfg.ReadModel.Position(c.caller.Viewer, c.agreement())}
		}
	}
}
