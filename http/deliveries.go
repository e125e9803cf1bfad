package http

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"tandem/domain"
	"tandem/projections"
	"tandem/webhooks"
)

// Deliveries knows what became of the deliveries of webhooks.
type Deliveries interface {
	// Attempts returns the latest attempts of a webhook, in any order.
	Attempts(ctx context.Context, ref domain.WebhookRef) ([]Attempt, error)
	// Standing returns how a webhook's deliveries stand, as of a moment ago.
	Standing(ctx context.Context, w *domain.Webhook) (webhooks.Standing, error)
}

// DeliveryStanding is how a webhook's deliveries stand, as of a moment ago.
type DeliveryStanding struct {
	Delivered     uint64     `json:"delivered" doc:"Deliveries that were taken, since the webhook was added."`
	Failed        uint64     `json:"failed" doc:"Attempts that were not."`
	Behind        uint64     `json:"behind" doc:"Events that the partner may see and the deliveries have not reached, wanted or not."`
	Retrying      int        `json:"retrying" doc:"Events that failed and are tried again while later ones go ahead."`
	FailingSince  *time.Time `json:"failing_since" doc:"Nothing was taken since; null: the last attempt was, or there was none."`
	NextAttemptAt *time.Time `json:"next_attempt_at" doc:"Nothing is sent before; null: at once, when there is something."`
}

func standingOf(s webhooks.Standing) DeliveryStanding {
	return DeliveryStanding{
		Delivered: s.Delivered, Failed: s.Failed, Behind: s.Behind, Retrying: s.Aside,
		FailingSince: given(s.Failing.UTC()), NextAttemptAt: given(s.Next.UTC()),
	}
}

// Attempt is one try to deliver something. Nothing in it is secret.
type Attempt struct {
	Delivery string    // its stable id
	Type     string    // of the event, or webhook.test, webhook.digest
	Number   int       // from 1
	At       time.Time // when it began
	Took     time.Duration
	OK       bool
	Status   int       // 0: nothing answered
	Reason   string    // decoded, for a person; empty if OK
	Note     string    // what a success leaves open
	Next     time.Time // of the next attempt; zero: there is none
	Request  DeliveryRequest
	Response DeliveryResponse
}

// DeliveryRequest is what was sent. What in it is secret is an ellipsis.
type DeliveryRequest struct {
	Method  string            `json:"method"`
	URL     string            `json:"url" doc:"… stands for what is secret in it."`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// DeliveryResponse is the answer.
type DeliveryResponse struct {
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body" doc:"Its first 4 KiB."`
}

// WebhookDelivery is something that was to be told to a webhook's endpoint.
type WebhookDelivery struct {
	ID       string     `json:"id" doc:"Stable: the event's where it is about one, and the same on every attempt."`
	Type     string     `json:"type" doc:"Of the event; webhook.test, webhook.digest."`
	State    string     `json:"state" enum:"delivered,retrying,failed"`
	Attempts int        `json:"attempts" doc:"How many there were so far."`
	FirstAt  time.Time  `json:"first_at" doc:"Of the attempts that are remembered."`
	LastAt   time.Time  `json:"last_at"`
	NextAt   *time.Time `json:"next_at" doc:"When it is tried again; null: not by itself."`
	Status   *int       `json:"status" doc:"Of the last answer; null if there was none."`
	Reason   string     `json:"reason" doc:"What went wrong last; empty if nothing did."`
	Note     string     `json:"note" doc:"What a success leaves open."`
}

// DeliveryAttempt is one of its attempts.
type DeliveryAttempt struct {
	Number   int               `json:"number"`
	At       time.Time         `json:"at"`
	TookMS   int64             `json:"took_ms"`
	OK       bool              `json:"ok"`
	Status   *int              `json:"status"`
	Reason   string            `json:"reason"`
	Note     string            `json:"note"`
	Request  DeliveryRequest   `json:"request"`
	Response *DeliveryResponse `json:"response" doc:"Null if nothing answered."`
}

// DeliveryList is a part of a webhook's deliveries.
type DeliveryList struct {
	Partner    domain.PartnerID  `json:"partner"`
	Webhook    domain.WebhookID  `json:"webhook"`
	Standing   DeliveryStanding  `json:"standing"`
	Deliveries []WebhookDelivery `json:"deliveries" doc:"The latest first."`
	NextCursor *string           `json:"next_cursor"`
}

// OneDelivery is a delivery with its attempts.
type OneDelivery struct {
	WebhookDelivery
	Log []DeliveryAttempt `json:"log" doc:"The attempts that are remembered, oldest first."`
}

func deliveryRoutes() []*route {
	const list, one = webhookPath + "/deliveries", webhookPath + "/deliveries/{delivery}"
	read := []int{http.StatusOK, http.StatusNotModified}
	return []*route{
		{
			method: http.MethodGet, name: "listDeliveries", path: list, summary: "What was delivered to a webhook lately, and what was not",
			callers: webhookRead, sees: seesWebhook, answer: DeliveryList{}, query: lists(), handle: computes(listDeliveries),
			unwatched: true, success: read,
		},
		{
			method: http.MethodGet, name: "getDelivery", path: one, summary: "One delivery: what was sent and answered",
			callers: webhookRead, sees: seesWebhook, answer: OneDelivery{}, handle: computes(getDelivery), unwatched: true, success: read,
		},
		change(http.MethodPost, "redeliver", one+"/redeliver", "Deliver it again, beside what else is delivered", webhookWrite,
			seesWebhook, projections.Webhook{}, removes(redeliver)),
	}
}

// testType is the type of a delivery that is a test.
const testType = "webhook.test"

// deliveriesWait is how long the log may take to tell what was delivered.
const deliveriesWait = 5 * time.Second

// deliveries returns what is known of the deliveries of the webhook in the path: the attempts of each.
func (q *call) deliveries() (map[string][]Attempt, error) {
	if q.Deliveries == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(q.r.Context(), deliveriesWait)
	defer cancel()
	all, err := q.Deliveries.Attempts(ctx, q.webhookRef())
	if err != nil {
		return nil, q.unreadable(err)
	}
	slices.SortStableFunc(all, func(a, b Attempt) int { return a.At.Compare(b.At) })
	found := map[string][]Attempt{}
	for _, x := range all {
		found[x.Delivery] = append(found[x.Delivery], x)
	}
	return found, nil
}

// standing returns how the deliveries of the webhook in the path stand.
func (q *call) standing() (DeliveryStanding, error) {
	w, err := q.stored()
	if err != nil || q.Deliveries == nil {
		return DeliveryStanding{}, err
	}
	ctx, cancel := context.WithTimeout(q.r.Context(), deliveriesWait)
	defer cancel()
	s, err := q.Deliveries.Standing(ctx, w)
	if err != nil {
		return DeliveryStanding{}, q.unreadable(err)
	}
	return standingOf(s), nil
}

// deliveryOf sums the attempts of a delivery up; there is one at least.
func deliveryOf(attempts []Attempt) WebhookDelivery {
	first, last := attempts[0], attempts[len(attempts)-1]
	d := WebhookDelivery{
		ID: last.Delivery, Type: last.Type, State: "failed", Attempts: last.Number, FirstAt: first.At.UTC(), LastAt: last.At.UTC(),
		NextAt: given(last.Next.UTC()), Status: given(last.Status), Reason: last.Reason, Note: last.Note,
	}
	switch {
	case last.OK:
		d.State = "delivered"
	case d.NextAt != nil:
		d.State = "retrying"
	}
	return d
}

// latestFirst is a key that sorts deliveries so.
func (d WebhookDelivery) latestFirst() string {
	return fmt.Sprintf("%020d %s", math.MaxInt64-d.LastAt.UnixMicro(), d.ID)
}

func listDeliveries(q *call) (projections.Answer, error) {
	a, err := q.asked()
	if err != nil {
		return projections.Answer{}, err
	}
	found, err := q.deliveries()
	if err != nil {
		return projections.Answer{}, err
	}
	list := []WebhookDelivery{}
	for _, attempts := range found {
		list = append(list, deliveryOf(attempts))
	}
	slices.SortFunc(list, func(a, b WebhookDelivery) int { return cmp.Compare(a.latestFirst(), b.latestFirst()) })
	standing, err := q.standing()
	if err != nil {
		return projections.Answer{}, err
	}
	out := DeliveryList{Partner: q.partner(), Webhook: q.webhook(), Standing: standing}
	out.Deliveries, out.NextCursor = part(a, list, WebhookDelivery.latestFirst)
	return projections.Answer{Body: out}, a.err()
}

func getDelivery(q *call) (projections.Answer, error) {
	if _, err := q.parameters(); err != nil {
		return projections.Answer{}, err
	}
	attempts, err := q.delivery()
	if err != nil {
		return projections.Answer{}, err
	}
	out := OneDelivery{WebhookDelivery: deliveryOf(attempts), Log: []DeliveryAttempt{}}
	for _, x := range attempts {
		shown := DeliveryAttempt{
			Number: x.Number, At: x.At.UTC(), TookMS: x.Took.Milliseconds(), OK: x.OK, Status: given(x.Status),
			Reason: x.Reason, Note: x.Note, Request: x.Request,
		}
		if x.Status != 0 {
			shown.Response = &x.Response
		}
		out.Log = append(out.Log, shown)
	}
	return projections.Answer{Body: out}, nil
}

// delivery returns the attempts of the delivery in the path.
func (q *call) delivery() ([]Attempt, error) {
	found, err := q.deliveries()
	if err != nil {
		return nil, err
	}
	attempts, ok := found[q.c.Param("delivery")]
	if !ok {
		return nil, errNotFound
	}
	return attempts, nil
}

// redeliver refuses what is not in the log any more: a replay reaches further back.
func redeliver(q *writing) (*intent, error) {
	attempts, err := q.delivery()
	if err != nil {
		return nil, err
	}
	if last := attempts[len(attempts)-1]; last.Type == testType && q.who.Role == domain.Manager { // else the domain refuses
		return nil, refuse(http.StatusConflict, "test_not_redelivered", "A test is about nothing that happened. Ask for another one.")
	}
	return q.acting(domain.Redeliver{Partner: q.partner(), Webhook: q.webhook(), Delivery: q.c.Param("delivery")}), nil
}
