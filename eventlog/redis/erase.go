package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"tandem/eventlog/wakeup"
)

// The append-only file holds every writing command, so erased data stays in it until the file is rewritten. The node
// that erased asks every server for a rewrite. Until that is done, "tandem:erasure" is set, so that the next node that
// opens the log continues if this one ends.

// erasureKey holds the time of the last erasure. It is empty or absent if no file has erased data.
const erasureKey = "tandem:erasure"

const (
	rewritePollInterval = 100 * time.Millisecond // between two checks of a running rewrite
	rewriteRetryDelay   = 30 * time.Second       // after a failed rewrite
)

// eraser makes the servers rewrite their files, in the background.
type eraser struct {
	log    *Log
	wakeup wakeup.Signal
}

func newEraser(log *Log) *eraser { return &eraser{log, wakeup.New()} }

// noteErasure is called before an append that erases. If it fails, only the rewrite after a crash is missing.
func (e *eraser) noteErasure(ctx context.Context) {
	if err := e.log.client.Set(ctx, erasureKey, time.Now().UTC().Format(time.RFC3339Nano), 0).Err(); err != nil {
		e.log.cfg.Logger.Warn("cannot record an erasure", "key", erasureKey, "error", err)
	}
}

// requestRewrite is called after an append that may have erased data.
func (e *eraser) requestRewrite() {
	e.wakeup.Notify()
}

// run handles requests until the log is closed.
func (e *eraser) run() {
	ctx, log := e.log.ctx, e.log
	if noted, err := log.client.Get(ctx, erasureKey).Result(); err == nil && noted != "" {
		e.requestRewrite()
	}
	for {
		select {
		case <-e.wakeup:
		case <-ctx.Done():
			return
		}
		err := e.rewrite(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			continue
		}
		log.cfg.Logger.Warn("erased data stays in the server's append-only file until it is rewritten: allow BGREWRITEAOF to this user, or run it yourself",
			"server", log.addr.display, "error", err)
		if !hasCode(err, "NOPERM") && !unknownCommand(err) {
			time.AfterFunc(rewriteRetryDelay, e.requestRewrite)
		}
	}
}

// rewrite makes every server rewrite its file and waits for the end.
func (e *eraser) rewrite(ctx context.Context) error {
	noted, err := e.log.client.Get(ctx, erasureKey).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	err = eachMaster(ctx, e.log.client, func(ctx context.Context, name string, client *redis.Client) error {
		err := e.rewriteOne(ctx, client)
		if err != nil && name != "" {
			return fmt.Errorf("%s: %w", name, err)
		}
		return err
	})
	if err != nil {
		return err
	}
	if now, err := e.log.client.Get(ctx, erasureKey).Result(); err != nil || now != noted {
		return nil // data was erased meanwhile, and another rewrite is requested
	}
	if err := e.log.client.Set(ctx, erasureKey, "", 0).Err(); err != nil {
		return err
	}
	e.log.cfg.Logger.Info("erased data was removed from the server's file", "server", e.log.addr.display)
	return nil
}

func (e *eraser) rewriteOne(ctx context.Context, client *redis.Client) error {
	info, err := client.InfoMap(ctx, "persistence", "replication").Result()
	if err != nil {
		return err
	}
	if info["Persistence"]["aof_enabled"] != "1" {
		return nil
	}
	if replicas := info["Replication"]["connected_slaves"]; replicas != "" && replicas != "0" {
		e.log.cfg.Logger.Warn("replicas have files of their own: run BGREWRITEAOF there too", "replicas", replicas)
	}
	// A running rewrite may have started before the erasure: wait for it, then ask again.
	for {
		err := client.BgRewriteAOF(ctx).Err()
		if err == nil {
			return e.awaitRewrite(ctx, client)
		}
		if !strings.Contains(err.Error(), "in progress") {
			return err
		}
		if err := e.awaitRewrite(ctx, client); err != nil {
			return err
		}
	}
}

// awaitRewrite waits until no rewrite is running or scheduled.
func (e *eraser) awaitRewrite(ctx context.Context, client *redis.Client) error {
	for {
		info, err := client.InfoMap(ctx, "persistence").Result()
		if err != nil {
			return err
		}
		persistence := info["Persistence"]
		if persistence["aof_rewrite_in_progress"] == "0" && persistence["aof_rewrite_scheduled"] == "0" {
			if status := persistence["aof_last_bgrewrite_status"]; status != "ok" {
				return fmt.Errorf("the server's last BGREWRITEAOF failed with status %q: see the server's log", status)
			}
			return nil
		}
		select {
		case <-time.After(rewritePollInterval):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// unknownCommand reports whether the server does not have the command, for example because a managed service disabled
// it.
func unknownCommand(err error) bool {
	return err != nil && strings.Contains(err.Error(), "unknown command")
}
