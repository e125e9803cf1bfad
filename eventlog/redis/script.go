package redis

import (
	"context"
	"crypto/sha1"
	_ "embed" // for the scripts
	"encoding/hex"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed append.lua
	appendSource string
	//go:embed mark.lua
	markSource string
	//go:embed confirm.lua
	confirmSource string
	//go:embed own.lua
	ownSource string
	//go:embed release.lua
	releaseSource string
	//go:embed heartbeat.lua
	heartbeatSource string
	//go:embed create.lua
	createSource string
	//go:embed loss.lua
	lossSource string
	//go:embed accept.lua
	acceptSource string
	//go:embed advance.lua
	advanceSource string
)

// luaScript is a Lua script with the SHA-1 sum by which servers cache it.
type luaScript struct{ source, sha string }

func newScript(source string) *luaScript {
	sum := sha1.Sum([]byte(source)) // part of the protocol, not a security measure
	return &luaScript{source, hex.EncodeToString(sum[:])}
}

func (s *luaScript) load(ctx context.Context, client *redis.Client) error {
	return client.ScriptLoad(ctx, s.source).Err()
}

// command returns the command that runs the script.
func (s *luaScript) command(keys []string, args ...any) []any {
	out := make([]any, 0, 3+len(keys)+len(args))
	out = append(out, "EVALSHA", s.sha, len(keys))
	for _, key := range keys {
		out = append(out, key)
	}
	return append(out, args...)
}

// scripts are the scripts of a log.
type scripts struct {
	append, mark, confirm, own, release, heartbeat, create, loss, accept, advance *luaScript
}

func newScripts() scripts {
	return scripts{
		append: newScript(appendSource), mark: newScript(markSource), confirm: newScript(confirmSource), own: newScript(ownSource),
		release: newScript(releaseSource), heartbeat: newScript(heartbeatSource), create: newScript(createSource),
		loss: newScript(lossSource), accept: newScript(acceptSource), advance: newScript(advanceSource),
	}
}
