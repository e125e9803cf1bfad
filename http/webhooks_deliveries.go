package http

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
	"tandem/webhooks"
)

// AttemptHistory reads the attempts and the status of webhooks.
type AttemptHistory interface {
	// Attempts returns the latest attempts of a webhook, in any order.
	Attempts(ctx context.Context, ref domain.WebhookRef) ([]webhooks.Attempt, error)
	// Status returns the status of a webhook's lane. It may be some seconds old.
	Status(ctx context.Context, webhook *domain.Webhook) (webhooks.DeliveryStatus, error)
}

func newDeliveryStanding(status webhooks.DeliveryStatus) api.DeliveryStanding {
	return api.DeliveryStanding{
		Delivered: status.Sent, Failed: status.Failed, Behind: status.Behind, Retrying: status.Skipped,
		FailingSince: nilIfZero(status.FailingSince.UTC()), NextAttemptAt: nilIfZero(status.NextAttemptAt.UTC()),
	}
}

func deliveryRoutes() []*route {
	read := []int{http.StatusOK, http.StatusNotModified}
	return []*route{
		{
			method: http.MethodGet, operationID: "listDeliveries", path: "/v1/partners/{partner}/webhooks/{webhook}/deliveries", summary: "The latest messages of a webhook with their results",
			callers: webhookRead, visibleTo: webhookVisible, responseBody: api.DeliveryList{}, query: listParameters(), handle: computed(listDeliveries),
			noWait: true, success: read,
		},
		{
			method: http.MethodGet, operationID: "getDelivery", path: "/v1/partners/{partner}/webhooks/{webhook}/deliveries/{delivery}", summary: "One message with its attempts: requests and responses",
			callers: webhookRead, visibleTo: webhookVisible, responseBody: api.OneDelivery{}, handle: computed(getDelivery), noWait: true, success: read,
		},
		changeRoute(http.MethodPost, "redeliver", "/v1/partners/{partner}/webhooks/{webhook}/deliveries/{delivery}/redeliver", "Send a message again, independently of the lane's order", webhookWrite,
			webhookVisible, api.Webhook{}, deletion(redeliver)),
	}
}

// testEventType is the type of a test message.
const testEventType = "webhook.test"

// attemptsTimeout bounds the log's response to a read of attempts.
const attemptsTimeout = 5 * time.Second

// attemptsByDelivery returns the stored attempts of the webhook in the path by message id.
func (c *call) attemptsByDelivery() (map[string][]webhooks.Attempt, error) {
	if c.cfg.Attempts == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(c.request.Context(), attemptsTimeout)
	defer cancel()
	all, err := c.cfg.Attempts.Attempts(ctx, c.webhookRef())
	if err != nil {
		return nil, c.logUnreachable(err)
	}
	slices.SortStableFunc(all, func(a, b webhooks.Attempt) int { return a.StartedAt.Compare(b.StartedAt) })
	found := map[string][]webhooks.Attempt{}
	for _, attempt := range all {
		found[attempt.MessageID] = append(found[attempt.MessageID], attempt)
	}
	return found, nil
}

// deliveryStanding returns the delivery status of the webhook in the path.
func (c *call) deliveryStanding() (api.DeliveryStanding, error) {
	webhook, err := c.storedWebhook()
	if err != nil || c.cfg.Attempts == nil {
		return api.DeliveryStanding{}, err
	}
	ctx, cancel := context.WithTimeout(c.request.Context(), attemptsTimeout)
	defer cancel()
	status, err := c.cfg.Attempts.Status(ctx, webhook)
	if err != nil {
		return api.DeliveryStanding{}, c.logUnreachable(err)
	}
	return newDeliveryStanding(status), nil
}

// summarizeAttempts summarises the attempts of a message; there is at least one.
func summarizeAttempts(attempts []webhooks.Attempt) api.WebhookDelivery {
	first, last := attempts[0], attempts[len(attempts)-1]
	delivery := api.WebhookDelivery{
		ID: last.MessageID, Type: last.Type, State: "failed", Attempts: last.Number, FirstAt: first.StartedAt.UTC(), LastAt: last.StartedAt.UTC(),
		NextAt: nilIfZero(last.NextAt.UTC()), Status: nilIfZero(last.Status), Reason: last.Reason, Note: last.Note,
	}
	switch {
	case last.OK:
		delivery.State = "delivered"
	case delivery.NextAt != nil:
		delivery.State = "retrying"
	}
	return delivery
}

// latestFirst returns a key that sorts messages by their latest attempt, newest first.
func latestFirst(delivery api.WebhookDelivery) string {
	return fmt.Sprintf("%020d %s", math.MaxInt64-delivery.LastAt.UnixMicro(), delivery.ID)
}

func listDeliveries(req *call) (projections.Answer, error) {
	query, err := req.parseQuery()
	if err != nil {
		return projections.Answer{}, err
	}
	found, err := req.attemptsByDelivery()
	if err != nil {
		return projections.Answer{}, err
	}
	list := []api.WebhookDelivery{}
	for _, attempts := range found {
		list = append(list, summarizeAttempts(attempts))
	}
	slices.SortFunc(list, func(a, b api.WebhookDelivery) int { return cmp.Compare(latestFirst(a), latestFirst(b)) })
	standing, err := req.deliveryStanding()
	if err != nil {
		return projections.Answer{}, err
	}
	out := api.DeliveryList{Partner: req.partner(), Webhook: req.webhook(), Standing: standing}
	out.Deliveries, out.NextCursor = paginate(query, list, latestFirst)
	return projections.Answer{Body: out}, query.err()
}

func getDelivery(req *call) (projections.Answer, error) {
	if _, err := req.queryValues(); err != nil {
		return projections.Answer{}, err
	}
	attempts, err := req.deliveryAttempts()
	if err != nil {
		return projections.Answer{}, err
	}
	out := api.OneDelivery{WebhookDelivery: summarizeAttempts(attempts), Log: []api.DeliveryAttempt{}}
	for _, attempt := range attempts {
		shown := api.DeliveryAttempt{
			Number: attempt.Number, At: attempt.StartedAt.UTC(), TookMS: attempt.Duration.Milliseconds(), OK: attempt.OK, Status: nilIfZero(attempt.Status),
			Reason: attempt.Reason, Note: attempt.Note,
			Request: api.DeliveryRequest{Method: attempt.Method, URL: attempt.URL, Headers: attempt.RequestHeaders, Body: attempt.RequestBody},
		}
		if attempt.Status != 0 {
			shown.Response = &api.DeliveryResponse{Headers: attempt.ResponseHeaders, Body: attempt.ResponseBody}
		}
		out.Log = append(out.Log, shown)
	}
	return projections.Answer{Body: out}, nil
}

// deliveryAttempts returns the attempts of the message in the path.
func (c *call) deliveryAttempts() ([]webhooks.Attempt, error) {
	found, err := c.attemptsByDelivery()
	if err != nil {
		return nil, err
	}
	attempts, ok := found[c.echoCtx.Param("delivery")]
	if !ok {
		return nil, errNotFound
	}
	return attempts, nil
}

// redeliver refuses events that the attempt history no longer contains; a replay covers older ones.
func redeliver(req *writeCall) (*intent, error) {
	attempts, err := req.deliveryAttempts()
	if err != nil {
		return nil, err
	}
	if last := attempts[len(attempts)-1]; last.Type == testEventType && req.caller.Role == domain.Manager { // otherwise the domain refuses
		return nil, refuse(http.StatusConflict, "test_not_redelivered", "A test message cannot be sent again. Request another test.")
	}
	return req.webhookIntent(domain.ResendWebhook{WebhookRef: domain.WebhookRef{Partner: req.partner(), Webhook: req.webhook()}, Message: req.echoCtx.Param("delivery")}), nil
}
