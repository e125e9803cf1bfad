package redis

import (
	"time"

	"github.com/redis/go-redis/v9"
)

// probeWrites finds out whether servers that refused a write take one now. While Health tells of a fault the
// bus sends nothing, so that no other write may come and end it.
func (l *Log) probeWrites() {
	ticks := time.NewTicker(l.cfg.limits.heartbeat)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			if l.health.hasFault(concernWrites) {
				l.tryWriting()
			}
		case <-l.ctx.Done():
			return
		}
	}
}

// tryWriting has every server run a script that may write, and does not.
func (l *Log) tryWriting() {
	tried := make(map[*redis.Client]bool)
	for _, keys := range l.keys {
		client, err := serverOf(l.ctx, l.client, keys.meta)
		if err != nil || tried[client] {
			continue
		}
		tried[client] = true
		nobody := l.scripts.release.command([]string{keys.meta}, "", "")
		_, _ = l.pipe.do(l.ctx, keys.meta, l.scripts.release, nobody...) // how it went is told to wrote
	}
}
