package redis

import (
	"time"

	"github.com/redis/go-redis/v9"
)

// probe finds out whether servers that refused a write take one now. While Health tells of a fault the
// bus sends nothing, so that no other write may come and end it.
func (l *Log) probe() {
	ticks := time.NewTicker(l.cfg.limits.beat)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			if l.state.has(writing) {
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
	for _, k := range l.keys {
		c, err := server(l.ctx, l.client, k.meta)
		if err != nil || tried[c] {
			continue
		}
		tried[c] = true
		nobody := l.scripts.release.args([]string{k.meta}, "", "")
		_, _ = l.pipe.do(l.ctx, k.meta, l.scripts.release, nobody...) // how it went is told to wrote
	}
}
