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

// Operations is what whoever runs the installation asks of the log and the bus.
type Operations interface {
	// Status, AcceptLoss and DeadLetters are the log's.
	Status(ctx context.Context) (eventlog.Status, error)
	AcceptLoss(ctx context.Context, partition eventlog.Partition) error
	DeadLetters(ctx context.Context, partition eventlog.Partition) ([]eventlog.DeadLetter, error)
	// Owns and Replay are the bus's.
	Owns(partition eventlog.Partition) bool
	Replay(ctx context.Context, partition eventlog.Partition, letter eventlog.DeadLetter) (eventlog.CommandID, bus.Result, error)
}

const operatorOnly = "the operator"

func logRoutes() []*route {
	return []*route{
		{
			method: http.MethodGet, operationID: "getLog", path: "/v1/log", summary: "How the log is getting on, partition by partition",
			callers: operatorOnly, visibleTo: operationsVisible, responseBody: api.LogState{}, handle: computed(getLog), uncached: true,
			success: []int{http.StatusOK, http.StatusNotModified},
		},
		{
			method: http.MethodPost, operationID: "acceptLoss", path: "/v1/log/accept-loss",
			summary: "Go on without commits that were lost; positions of before get 410 afterwards",
			callers: operatorOnly, visibleTo: operationsVisible, responseBody: api.LogState{}, body: action(acceptLoss), uncached: true,
			success: []int{http.StatusOK},
		},
	}
}

// operationsVisible is for the operator of a node that has them.
func operationsVisible(req *call, _ *projections.View) bool {
	return req.caller.Operator && req.cfg.Operations != nil
}

// logTimeout is how long the log may take to answer its operator.
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

// nodeName is the name that the log has for this node, found by what it owns; empty if it is not known.
// A partition may have changed hands since the status was taken, so most of them decide.
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

// lag is how far a node is behind that has applied so much. It may be ahead of a status that was
// taken a moment before, or know commits that are lost.
func lag(status *eventlog.PartitionStatus, applied uint64) uint64 {
	return max(status.Durable, applied) - applied
}

// age is in seconds, to the millisecond; the clocks of two machines may differ.
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

// acceptLoss accepts all the losses or, when one partition has none, nothing.
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

// partitionsToAccept returns the partitions, each of them once.
func partitionsToAccept(body *api.AcceptLoss) ([]eventlog.Partition, error) {
	var partitions []eventlog.Partition
	for i, number := range body.Partitions {
		if number < 0 || number >= eventlog.Partitions {
			return nil, invalid(domain.FieldError{
				Field: "partitions[" + strconv.Itoa(i) + "]", Message: "is not a partition, from 0 to " + strconv.Itoa(eventlog.Partitions-1),
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
			return unavailable("not_all_accepted", "Not every loss was accepted. Ask for the log's state and accept what is still open.", err)
		}
		loss := status.Partitions[partition].OpenLoss
		c.cfg.Logger.Warn("the operator has accepted a loss", "partition", partition, "known", loss.Known.Seq, "stored", loss.Stored.Seq)
	}
	return nil
}
