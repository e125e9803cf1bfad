package redis

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"tandem/eventlog"
)

func errClosed() error { return fmt.Errorf("the log is closed: %w", eventlog.ErrStopped) }

// errGone: the server answers, but the log is not there.
var errGone = errors.New("the log is gone from the server: it was flushed or replaced")

// refused reports whether the server answered that it did not run the command, or nothing reached
// it at all, so that sending it again cannot double it.
func refused(err error) bool {
	if errors.Is(err, eventlog.ErrNotSent) || errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrPoolExhausted) {
		return true
	}
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" {
		return true
	}
	var answer redis.Error
	return errors.As(err, &answer)
}

// remedies say what a person can do about an answer of the server, by its first word.
var remedies = map[string]string{
	"READONLY":   "this server is a replica now; point --redis at the new master, or use redis+sentinel://",
	"LOADING":    "the server is still reading its file",
	"OOM":        "the server is at its maxmemory: raise it",
	"MISCONF":    "the server cannot write its file: look at its disk and its log",
	"NOREPLICAS": "fewer replicas are connected than min-replicas-to-write asks for",
	"MASTERDOWN": "this server is a replica without its master",
	"NOAUTH":     "the server wants a password: put it into the URL",
	"WRONGPASS":  "the password in the URL is wrong",
	"NOPERM":     "the user of the URL lacks a permission",
}

// explain adds to an answer of the server what can be done about it.
func explain(err error) error {
	var answer redis.Error
	if err == nil || !errors.As(err, &answer) {
		return err
	}
	word, _, _ := strings.Cut(answer.Error(), " ")
	if remedy, known := remedies[word]; known {
		return fmt.Errorf("%w (%s)", err, remedy)
	}
	return err
}

// hasWord reports whether err is an answer of the server that begins with the word.
func hasWord(err error, word string) bool {
	var answer redis.Error
	return errors.As(err, &answer) && strings.HasPrefix(answer.Error(), word)
}

func isNil(err error) bool { return errors.Is(err, redis.Nil) }

// condition is whether the server takes what is sent to it.
type condition struct {
	mu     sync.Mutex
	fault  error
	since  time.Time
	notify func(fault error, lasted time.Duration) // of the first fault, and of the end (nil) of all
}

func (c *condition) set(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	began, ended := err != nil && c.fault == nil, err == nil && c.fault != nil
	lasted := time.Since(c.since)
	if c.fault = explain(err); began {
		c.since = time.Now()
	}
	if began || ended {
		c.notify(c.fault, lasted)
	}
}

func (c *condition) get() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fault
}
