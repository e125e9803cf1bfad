package redis

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"

	"tandem/eventlog"
)

func errClosed() error { return fmt.Errorf("the log is closed: %w", eventlog.ErrStopped) }

// errGone: the server replies, but the log does not exist.
var errGone = errors.New("the log is gone from the server: it was flushed or replaced")

// dialError is an error of connecting: no command was sent.
type dialError struct{ error }

func (e dialError) Unwrap() error { return e.error }

// notExecuted reports whether the server replied that it did not run the command, or never received it. Sending it
// again cannot double it.
func notExecuted(err error) bool {
	for _, known := range []error{eventlog.ErrNotSent, eventlog.ErrStopped, redis.ErrPoolTimeout, redis.ErrPoolExhausted} {
		if errors.Is(err, known) {
			return true
		}
	}
	var (
		answer  redis.Error
		dialled dialError
		reason  *unfitServer
		op      *net.OpError
	)
	return errors.As(err, &answer) || errors.As(err, &dialled) || errors.As(err, &reason) ||
		errors.As(err, &op) && op.Op == "dial"
}

// remedies maps the first word of a server's error to a remedy for the operator.
var remedies = map[string]string{
	"READONLY":    "this server is a replica now; point --redis at the new master, or use redis+sentinel://",
	"LOADING":     "the server is still loading its file",
	"OOM":         "the server is at its maxmemory: raise it",
	"MISCONF":     "the server cannot write its file: check its disk and its log",
	"NOREPLICAS":  "fewer replicas are connected than min-replicas-to-write asks for",
	"MASTERDOWN":  "this server is a replica without its master",
	"BUSY":        "a script keeps the server busy: end it with redis-cli SCRIPT KILL",
	"CLUSTERDOWN": "a part of the cluster is down",
	"NOAUTH":      "the server requires a password: add it to the URL",
	"WRONGPASS":   "the password in the URL is wrong",
	"NOPERM":      "the user of the URL lacks a permission",
}

// explain adds a remedy to an error of the server.
func explain(err error) error {
	var answer redis.Error
	if err == nil || !errors.As(err, &answer) {
		return err
	}
	word, _, _ := strings.Cut(answer.Error(), " ")
	remedy, known := remedies[word]
	if !known || strings.Contains(err.Error(), remedy) {
		return err
	}
	return fmt.Errorf("%w (%s)", err, remedy)
}

// hasCode reports whether err is an error of the server that starts with one of the words.
func hasCode(err error, words ...string) bool {
	var answer redis.Error
	if !errors.As(err, &answer) {
		return false
	}
	first, _, _ := strings.Cut(answer.Error(), " ")
	for _, word := range words {
		if first == word {
			return true
		}
	}
	return false
}

func isNil(err error) bool { return errors.Is(err, redis.Nil) }

// isPermanent reports whether a retry would return the same error.
func isPermanent(err error) bool {
	return errors.Is(err, eventlog.ErrDamaged) || errors.Is(err, eventlog.ErrNewer) || len(eventlog.LostTails(err)) > 0
}
