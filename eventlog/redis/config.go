package redis

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"
)

// Durability names what an append survives.
type Durability string

const (
	// Disk: crash and power loss of the server. It writes every append to its file and syncs it
	// before it answers (appendonly yes, appendfsync always). A failover can lose what the replica
	// had not got yet; that is found and named.
	Disk Durability = "disk"
	// Replicated: the loss of the server while every configured replica lives. An append counts when
	// all of them have it in memory.
	Replicated Durability = "replicated"
)

// Config says which server holds the log and how this node behaves.
type Config struct {
	// URL is redis://, rediss://, redis+sentinel://host,host/master or redis+cluster://host,host.
	URL        string
	Durability Durability // default: Disk
	Replicas   int        // for Replicated: how many must have an append; default 1
	// Name tells the node from others, for people; default: the host's name and the process id.
	Name   string
	Logger *slog.Logger     // nil drops warnings
	Now    func() time.Time // the node's clock, compared with the server's; default: time.Now
	// KeepReceipts is how long records are kept at least; zero means 25 hours, less than 24 is refused.
	KeepReceipts time.Duration

	limits limits
}

// limits are the times and sizes that tests change.
type limits struct {
	lease           time.Duration // a node that is silent for so long may be taken over
	heartbeat       time.Duration // between two signs of life
	readBlock       time.Duration // that one blocking read may wait
	compareInterval time.Duration // between two comparisons of heads
	replicaWait     time.Duration // for replicas, at once
	serverWait      time.Duration // for a server that will soon keep the promise
	pageCommits     int           // commits per partition that a follower reads at once
	pagePartitions  int           // partitions that it reads at once
	tailBytes       int           // of appended commits that wait for a follower that is behind
	prefetch        int           // messages of a topic that are read ahead
	pipeline        int           // commands in one pipeline
	clockError      time.Duration // that a node's clock may differ from the server's
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
		host, _ := os.Hostname() // a node without a name still has its number
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

// Validate returns every fault of the configuration.
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
		faults = append(faults, fmt.Errorf("redis log: records must be kept for 24 hours or more, not %s", c.KeepReceipts))
	}
	return errors.Join(faults...)
}
