package http

import (
	"context"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

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

// LogState is the log as its operator sees it: how much there is and how it gets on. It has counts
// only, nothing of what any commit says, and no hashes, which never leave the installation.
type LogState struct {
	Kind       string         `json:"kind" doc:"sqlite or redis."`
	Place      string         `json:"place" doc:"The file, or the server's address."`
	Durability string         `json:"durability" doc:"What an append survives: disk or replicated."`
	Bytes      uint64         `json:"bytes" doc:"Size of the file, or of the server's memory in use."`
	Limit      uint64         `json:"limit" doc:"What bytes may reach; 0: no limit is set."`
	Node       string         `json:"node" doc:"The node that answers; applied and lag are its. Empty while it owns nothing."`
	Nodes      []string       `json:"nodes" doc:"All that are alive."`
	Partitions []LogPartition `json:"partitions"`
	Totals     LogTotals      `json:"totals"`
}

// LogPartition is one partition of the log.
type LogPartition struct {
	Partition     int      `json:"partition"`
	Head          uint64   `json:"head" doc:"Sequence number of the last stored commit."`
	Durable       uint64   `json:"durable" doc:"The last one that may be told."`
	Applied       uint64   `json:"applied" doc:"The last one that this node has applied."`
	Lag           uint64   `json:"lag" doc:"How many durable ones this node has not applied yet."`
	Owner         string   `json:"owner" doc:"The node that decides its commands; empty: none, and they wait."`
	Fence         uint64   `json:"fence" doc:"Counts the owners."`
	Waiting       uint64   `json:"waiting" doc:"Commands that are not decided yet."`
	OldestSeconds float64  `json:"oldest_seconds" doc:"Age of the oldest of them; 0 if there is none or it is not known."`
	DeadLetters   uint64   `json:"dead_letters"`
	Epoch         uint64   `json:"epoch" doc:"Losses that were accepted."`
	Loss          *LogLoss `json:"loss" doc:"A loss that is not accepted; the partition stands still until then."`
}

// LogLoss says that commits were seen and are gone.
type LogLoss struct {
	Known  uint64 `json:"known" doc:"The last commit that a node had seen."`
	Stored uint64 `json:"stored" doc:"The last one that the log still has; the same as known where it has another commit in its place."`
}

// LogTotals sums the partitions up.
type LogTotals struct {
	Commits       uint64  `json:"commits"`
	Lag           uint64  `json:"lag"`
	Waiting       uint64  `json:"waiting"`
	OldestSeconds float64 `json:"oldest_seconds" doc:"Of all partitions."`
	DeadLetters   uint64  `json:"dead_letters"`
	Unowned       int     `json:"unowned" doc:"Partitions without an owner."`
	Losses        int     `json:"losses" doc:"Partitions with a loss that is not accepted."`
}

// AcceptLoss names the partitions that shall go on with what they still have.
type AcceptLoss struct {
	Partitions []int `json:"partitions" minItems:"1"`
}

const operatorOnly = "the operator"

func logRoutes() []*route {
	return []*route{
		{
			method: http.MethodGet, operationID: "getLog", path: "/v1/log", summary: "How the log is getting on, partition by partition",
			callers: operatorOnly, visibleTo: operationsVisible, responseBody: LogState{}, handle: computed(getLog), uncached: true,
			success: []int{http.StatusOK, http.StatusNotModified},
		},
		{
			method: http.MethodPost, operationID: "acceptLoss", path: "/v1/log/accept-loss",
			summary: "Go on without commits that were lost; positions of before get 410 afterwards",
			callers: operatorOnly, visibleTo: operationsVisible, responseBody: LogState{}, body: action(acceptLoss), uncached: true,
			success: []int{http.StatusOK},
		},
	}
}

// operationsVisible is for the operator of a node that has them.
func operationsVisible(req *call, _ *projections.View) bool {
	return req.caller.Operator && req.Operations != nil
}

// logTimeout is how long the log may take to answer its operator.
const logTimeout = 5 * time.Second

func (c *call) logUnreachable(err error) error {
	return unavailable("log_unreachable", "The log did not answer; the server's own log has the cause under this request_id.", err)
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

func (c *call) logState(ctx context.Context) (LogState, error) {
	status, err := c.Operations.Status(ctx)
	if err != nil {
		return LogState{}, c.logUnreachable(err)
	}
	state := LogState{
		Kind: status.Kind, Place: status.Location, Durability: status.Durability, Bytes: status.Bytes, Limit: status.BytesLimit,
		Node: nodeName(c.Operations, status), Nodes: append([]string{}, status.Nodes...),
	}
	for i := range status.Partitions {
		partition := partitionState(i, &status.Partitions[i], c.ReadModel.Head(eventlog.Partition(i)).Seq, c.now)
		state.Partitions = append(state.Partitions, partition)
		state.Totals.add(partition)
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

func partitionState(number int, status *eventlog.PartitionStatus, applied uint64, now time.Time) LogPartition {
	partition := LogPartition{
		Partition: number, Head: status.Head.Seq, Durable: status.Durable, Applied: applied, Lag: lag(status, applied), Owner: status.Owner,
		Fence: status.Fence, Waiting: status.Waiting, OldestSeconds: age(status.OldestWaiting, now), DeadLetters: status.DeadLetters, Epoch: status.Epoch,
	}
	if status.OpenLoss != nil {
		partition.Loss = &LogLoss{Known: status.OpenLoss.Known.Seq, Stored: status.OpenLoss.Stored.Seq}
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

func (t *LogTotals) add(partition LogPartition) {
	t.Commits += partition.Head
	t.Lag += partition.Lag
	t.Waiting += partition.Waiting
	t.OldestSeconds = max(t.OldestSeconds, partition.OldestSeconds)
	t.DeadLetters += partition.DeadLetters
	if partition.Owner == "" {
		t.Unowned++
	}
	if partition.Loss != nil {
		t.Losses++
	}
}

// acceptLoss accepts all the losses or, when one partition has none, nothing.
func acceptLoss(req *writeCall, read func() (*AcceptLoss, error)) error {
	body, err := read()
	if err != nil {
		return err
	}
	partitions, err := body.list()
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

// list returns the partitions, each of them once.
func (b *AcceptLoss) list() ([]eventlog.Partition, error) {
	var partitions []eventlog.Partition
	for i, number := range b.Partitions {
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
	status, err := c.Operations.Status(ctx)
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
		if err := c.Operations.AcceptLoss(ctx, partition); err != nil {
			return unavailable("not_all_accepted", "Not every loss was accepted. Ask for the log's state and accept what is still open.", err)
		}
		loss := status.Partitions[partition].OpenLoss
		c.Logger.Warn("the operator has accepted a loss", "partition", partition, "known", loss.Known.Seq, "stored", loss.Stored.Seq)
	}
	return nil
}
