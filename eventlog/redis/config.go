package redis

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"
)

// Durability is a guarantee for acknowledged appends.
type Durability string

const (
	// Disk: an append survives a crash and power loss of the server, which writes every append to its file and syncs
	// it before it replies (appendonly yes, appendfsync always). A failover can lose commits that the replica did not
	// have; the log detects that.
	Disk Durability = "disk"
	// Replicated: an append survives the loss of the server while every configured replica lives. It is acknowledged
	// when all of them have it in memory.
	Replicated Durability = "replicated"
)

// Config configures a log and its node.
type Config struct {
	// URL is redis://, rediss://, redis+sentinel://host,host/master or redis+cluster://host,host.
	URL        string
	Durability Durability // default: Disk
	Replicas   int        // with Replicated: number that must have an append; default 1
	// Name identifies the node for operators; default: host name and process id.
	Name   string
	Logger *slog.Logger     // nil discards log lines
	Now    func() time.Time // clock of the node, compared with the server's; default: time.Now
	// KeepReceipts is the minimum age at which receipts are deleted. Zero means 25 hours; less than 24 hours is
	// invalid.
	KeepReceipts time.Duration

	limits limits
}

// limits are times and sizes that tests change.
type limits struct {
	lease           time.Duration // time without heartbeats after which a node's partitions may be taken over
	heartbeat       time.Duration // between two heartbeats
	readBlock       time.Duration // maximum duration of a blocking read
	compareInterval time.Duration // between two comparisons of heads
	replicaWait     time.Duration // time limit of one WAIT
	serverWait      time.Duration // for a server that fails the checks temporarily
	pageCommits     int           // commits of a partition in one page of a follower
	pagePartitions  int           // partitions in one page
	tailBytes       int           // size of appended commits kept in memory for a follower that is behind
	prefetch        int           // messages of a topic that are read ahead
	pipeline        int           // commands in one pipeline
	clockError      time.Duration // allowed difference between the node's clock and the server's
}

func defaultLimits() limits {
	return limits{
		lease: time.Second, heartbeat: 200 * time.Millisecond, readBlock: time.Second, compareInterval: time.Second,
		replicaWait: 1500 * time.Millisecond, serverWait: time.Minute, pageCommits: 512, pagePartitions: 8, tailBytes: 16 << 20, prefetch: 1024, pipeline: 1024,
		clockError: 500 * time.Millisecond,
	}
}

func (c Config) withDefaults() Config {
	if c.Durability == "" {
		c.Durability = Disk
	}
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	if c.Name == "" {
		host, _ := os.Hostname() // the process id identifies a node without a name
		c.Name = host + ":" + strconv.Itoa(os.Getpid())
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.KeepReceipts == 0 {
		c.KeepReceipts = 25 * time.Hour
	}
	if c.limits == (limits{}) {
		c.limits = defaultLimits()
	}
	return c
}

// Validate returns all errors of the configuration, joined.
func (c Config) Validate() error {
	var faults []error
	if _, err := parseURL(c.URL); err != nil {
		faults = append(faults, err)
	}
	if durability := c.Durability; durability != "" && durability != Disk && durability != Replicated {
		faults = append(faults, fmt.Errorf("redis log: durability %q: want %s or %s", durability, Disk, Replicated))
	}
	if c.Replicas < 0 {
		faults = append(faults, fmt.Errorf("redis log: %d replicas: want at least 1", c.Replicas))
	}
	if c.KeepReceipts != 0 && c.KeepReceipts < 24*time.Hour {
		faults = append(faults, fmt.Errorf("redis log: receipts: keep them for at least 24 hours, not %s", c.KeepReceipts))
	}
	return errors.Join(faults...)
}
