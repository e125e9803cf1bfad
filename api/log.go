package api

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
