package redis

import (
	"time"

	"github.com/redis/go-redis/v9"
)

// probeWrites retries servers that refused a write. While Health reports a fault, the bus sends no commands, so no
// other write would end the fault.
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

// tryWriting makes every server run a script that may write, but does not.
func (l *Log) tryWriting() {
	tried := make(map[*redis.Client]bool)
	for _, keys := range l.keys {
		client, err := serverOf(l.ctx, l.client, keys.meta)
		if err != nil || tried[client] {
			continue
		}
		tried[client] = true
		nobody := l.scripts.release.command([]string{keys.meta}, "", "")
		_, _ = l.pipe.do(l.ctx, keys.meta, l.scripts.release, nobody...) // onPipelineResult receives the result
	}
}
