package api

// LogState is the log's state for its operator. It contains counts
// only, neither content of commits nor hashes, which never leave the installation.
type LogState struct {
	Kind       string         `json:"kind" doc:"sqlite or redis."`
	Place      string         `json:"place" doc:"The file, or the server's address."`
	Durability string         `json:"durability" doc:"Durability of an append: disk or replicated."`
	Bytes      uint64         `json:"bytes" doc:"Size of the file, or the server's used memory, in bytes."`
	Limit      uint64         `json:"limit" doc:"Limit of bytes; 0: none."`
	Node       string         `json:"node" doc:"The responding node, to which applied and lag refer. Empty while it owns no partition."`
	Nodes      []string       `json:"nodes" doc:"Nodes with a valid lease."`
	Partitions []LogPartition `json:"partitions"`
	Totals     LogTotals      `json:"totals"`
}

// LogPartition is one partition of the log.
type LogPartition struct {
	Partition     int      `json:"partition"`
	Head          uint64   `json:"head" doc:"Sequence number of the last stored commit."`
	Durable       uint64   `json:"durable" doc:"The high-water mark: the last commit that is durable and may be served."`
	Applied       uint64   `json:"applied" doc:"The last commit that this node has applied."`
	Lag           uint64   `json:"lag" doc:"Durable commits that this node has not applied yet."`
	Owner         string   `json:"owner" doc:"The node that owns the partition; empty: commands wait for an owner."`
	Fence         uint64   `json:"fence" doc:"The fencing token: incremented with each change of owner."`
	Waiting       uint64   `json:"waiting" doc:"Undecided commands."`
	OldestSeconds float64  `json:"oldest_seconds" doc:"Age of the oldest one in seconds; 0 if there is none or its age is unknown."`
	DeadLetters   uint64   `json:"dead_letters"`
	Epoch         uint64   `json:"epoch" doc:"The number of accepted losses."`
	Loss          *LogLoss `json:"loss" doc:"A loss that has not been accepted; the partition is halted until then."`
}

// LogLoss describes commits that a node has applied and the log no longer has.
type LogLoss struct {
	Known  uint64 `json:"known" doc:"The last commit that a node had applied."`
	Stored uint64 `json:"stored" doc:"The last commit that the log still has; equals known if the log has a different commit in its place."`
}

// LogTotals sums up the partitions.
type LogTotals struct {
	Commits       uint64  `json:"commits"`
	Lag           uint64  `json:"lag"`
	Waiting       uint64  `json:"waiting"`
	OldestSeconds float64 `json:"oldest_seconds" doc:"Maximum over all partitions."`
	DeadLetters   uint64  `json:"dead_letters"`
	Unowned       int     `json:"unowned" doc:"Partitions without an owner."`
	Losses        int     `json:"losses" doc:"Partitions with a loss that has not been accepted."`
}

// AcceptLoss is the body that accepts the loss of partitions.
type AcceptLoss struct {
	Partitions []int `json:"partitions" minItems:"1"`
}
