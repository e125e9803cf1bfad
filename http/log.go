package http

import (
	"context"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"tandem/api"
	"tandem/bus"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
)

// Operations reads and repairs log and bus for the operator.
type Operations interface {
	// Status, AcceptLoss and DeadLetters belong to the log.
	Status(ctx context.Context) (eventlog.Status, error)
	AcceptLoss(ctx context.Context, partition eventlog.Partition) error
	DeadLetters(ctx context.Context, partition eventlog.Partition) ([]eventlog.DeadLetter, error)
	// Owns and Replay belong to the bus.
	Owns(partition eventlog.Partition) bool
	Replay(ctx context.Context, partition eventlog.Partition, letter eventlog.DeadLetter) (eventlog.CommandID, bus.Result, error)
}

const operatorOnly = "the operator"

func logRoutes() []*route {
	return []*route{
		{
			method: http.MethodGet, operationID: "getLog", path: "/v1/log", summary: "The state of the log by partition",
			callers: operatorOnly, visibleTo: operationsVisible, responseBody: api.LogState{}, handle: computed(getLog), uncached: true,
			success: []int{http.StatusOK, http.StatusNotModified},
		},
		{
			method: http.MethodPost, operationID: "acceptLoss", path: "/v1/log/accept-loss",
			summary: "Accept the loss of commits; earlier positions get 410 afterwards",
			callers: operatorOnly, visibleTo: operationsVisible, responseBody: api.LogState{}, body: action(acceptLoss), uncached: true,
			success: []int{http.StatusOK},
		},
	}
}

// operationsVisible admits the operator, on a node with Operations.
func operationsVisible(req *call, _ *projections.View) bool {
	return req.caller.Operator && req.cfg.Operations != nil
}

// logTimeout bounds the log's response to an operator's request.
const logTimeout = 5 * time.Second

func (c *call) logUnreachable(err error) error {
	return unavailable("log_unreachable", "The log did not respond; the server's output has the cause under this request_id.", err)
}

func getLog(req *call) (projections.Answer, error) {
	if _, err := req.queryValues(); err != nil {
		return projections.Answer{}, err
	}
	ctx, cancel := context.WithTimeout(req.request.Context(), logTimeout)
	defer cancel()
	state, err := req.logState(ctx)
	return projections.Answer{Body: state}, err
}

func (c *call) logState(ctx context.Context) (api.LogState, error) {
	status, err := c.cfg.Operations.Status(ctx)
	if err != nil {
		return api.LogState{}, c.logUnreachable(err)
	}
	state := api.LogState{
		Kind: status.Kind, Place: status.Location, Durability: status.Durability, Bytes: status.Bytes, Limit: status.BytesLimit,
		Node: nodeName(c.cfg.Operations, status), Nodes: append([]string{}, status.Nodes...),
	}
	for i := range status.Partitions {
		partition := partitionState(i, &status.Partitions[i], c.cfg.ReadModel.Head(eventlog.Partition(i)).Seq, c.now)
		state.Partitions = append(state.Partitions, partition)
		addToTotals(&state.Totals, partition)
	}
	return state, nil
}

// nodeName returns the log's name of this node, derived from the partitions that it owns; empty if unknown.
// Partitions may have changed owner since the status was read, so the majority decides.
func nodeName(operations Operations, status eventlog.Status) (name string) {
	if len(status.Nodes) == 1 {
		return status.Nodes[0]
	}
	owned := make(map[string]int)
	for i, status := range status.Partitions {
		if status.Owner != "" && operations.Owns(eventlog.Partition(i)) {
			owned[status.Owner]++
		}
	}
	for owner, n := range owned {
		if n > owned[name] {
			name = owner
		}
	}
	return name
}

func partitionState(number int, status *eventlog.PartitionStatus, applied uint64, now time.Time) api.LogPartition {
	partition := api.LogPartition{
		Partition: number, Head: status.Head.Seq, Durable: status.Durable, Applied: applied, Lag: lag(status, applied), Owner: status.Owner,
		Fence: status.Fence, Waiting: status.Waiting, OldestSeconds: age(status.OldestWaiting, now), DeadLetters: status.DeadLetters, Epoch: status.Epoch,
	}
	if status.OpenLoss != nil {
		partition.Loss = &api.LogLoss{Known: status.OpenLoss.Known.Seq, Stored: status.OpenLoss.Stored.Seq}
	}
	return partition
}

// lag returns how many commits a node lacks that has applied the given number. The node may be ahead of the
// status, or have applied commits that were lost.
func lag(status *eventlog.PartitionStatus, applied uint64) uint64 {
	return max(status.Durable, applied) - applied
}

// age returns seconds, rounded to milliseconds; not negative, because clocks of two machines may differ.
func age(since, now time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return math.Round(max(0, now.Sub(since)).Seconds()*1000) / 1000
}

func addToTotals(totals *api.LogTotals, partition api.LogPartition) {
	totals.Commits += partition.Head
	totals.Lag += partition.Lag
	totals.Waiting += partition.Waiting
	totals.OldestSeconds = max(totals.OldestSeconds, partition.OldestSeconds)
	totals.DeadLetters += partition.DeadLetters
	if partition.Owner == "" {
		totals.Unowned++
	}
	if partition.Loss != nil {
		totals.Losses++
	}
}

// acceptLoss accepts all named losses, or none if one of the partitions has no loss.
func acceptLoss(req *writeCall, read func() (*api.AcceptLoss, error)) error {
	body, err := read()
	if err != nil {
		return err
	}
	partitions, err := partitionsToAccept(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(req.request.Context(), logTimeout)
	defer cancel()
	if err := req.acceptLosses(ctx, partitions); err != nil {
		return err
	}
	state, err := req.logState(ctx)
	if err != nil {
		return err
	}
	out, err := req.render(projections.Answer{Body: state})
	if err != nil {
		return err
	}
	out.setHeaders(req.echoCtx.Response().Header())
	req.write(http.StatusOK, jsonType, out.body)
	return nil
}

// partitionsToAccept returns the partitions without duplicates.
func partitionsToAccept(body *api.AcceptLoss) ([]eventlog.Partition, error) {
	var partitions []eventlog.Partition
	for i, number := range body.Partitions {
		if number < 0 || number >= eventlog.Partitions {
			return nil, invalid(domain.FieldError{
				Field: "partitions[" + strconv.Itoa(i) + "]", Message: "must be a partition from 0 to " + strconv.Itoa(eventlog.Partitions-1),
			})
		}
		partitions = append(partitions, eventlog.Partition(number))
	}
	if len(partitions) == 0 {
		return nil, invalid(domain.FieldError{Field: "partitions", Message: "is empty"})
	}
	slices.Sort(partitions)
	return slices.Compact(partitions), nil
}

func (c *call) acceptLosses(ctx context.Context, partitions []eventlog.Partition) error {
	status, err := c.cfg.Operations.Status(ctx)
	if err != nil {
		return c.logUnreachable(err)
	}
	var whole []string
	for _, partition := range partitions {
		if status.Partitions[partition].OpenLoss == nil {
			whole = append(whole, strconv.Itoa(int(partition)))
		}
	}
	if len(whole) > 0 {
		return refuse(http.StatusConflict, "no_open_loss", "No loss is open in partition %s. Nothing was accepted.", joinIDs(whole))
	}
	for _, partition := range partitions {
		if err := c.cfg.Operations.AcceptLoss(ctx, partition); err != nil {
			return unavailable("not_all_accepted", "Some losses were not accepted. Read the log's state and accept the open ones.", err)
		}
		loss := status.Partitions[partition].OpenLoss
		c.cfg.Logger.Warn("the operator has accepted a loss", "partition", partition, "known", loss.Known.Seq, "stored", loss.Stored.Seq)
	}
	return nil
}
