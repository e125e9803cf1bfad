package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"tandem/eventlog"
)

// The reference on Redis is a bare Echo server with one handler, which makes a commit of the request's body and
// runs the append script once: no command queue, no rule, no view, one synced write. A partition has one append
// at a time, because each append names the previous commit; requests are spread over as many partitions as there
// are callers.

// serveRedisReference adds the handler if the directory names a server.
func serveRedisReference(server *echo.Echo, dir string) {
	url, err := os.ReadFile(filepath.Join(dir, "redis"))
	if os.IsNotExist(err) {
		return
	}
	must(err)
	source, err := os.ReadFile(filepath.Join(dir, "append.lua"))
	must(err)
	options, err := redis.ParseURL(string(url))
	must(err)
	options.PoolSize = 64
	client, script := redis.NewClient(options), redis.NewScript(string(source))
	partitions := make([]referencePartition, eventlog.Partitions)
	for partition := range partitions {
		partitions[partition].p = eventlog.Partition(partition)
	}
	server.POST("/append/:partition", func(ctx echo.Context) error {
		body, err := io.ReadAll(ctx.Request().Body)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(ctx.Param("partition"))
		if err != nil {
			return err
		}
		if err := partitions[n].append(ctx, client, script, body); err != nil {
			return err
		}
		return ctx.Blob(http.StatusOK, "application/json", body)
	})
}

type referencePartition struct {
	mu   sync.Mutex
	p    eventlog.Partition
	head eventlog.Head
}

func (p *referencePartition) append(ctx echo.Context, client *redis.Client, script *redis.Script, body []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	commit := eventlog.Commit{
		Partition: p.p, Stream: "project/a/p", Version: p.head.Seq + 1, Actor: "mei", Partner: "nokia",
		Events: []eventlog.Event{{Type: "milestone.progressed.v1", Subject: "m", Audience: "shared", Data: body}},
	}
	commit.Seal(p.head)
	key := func(name string) string { return "reference:{" + strconv.Itoa(int(p.p)) + "}:" + name }
	keys := []string{key("meta"), key("log"), key("outcomes"), key("inbox"), key("records"), key("dead-letters"), key("values"), key("mark")}
	if p.head.Seq == 0 {
		if err := client.HSet(ctx.Request().Context(), keys[0], "format", 1, "fence", 1, "owner", "reference").Err(); err != nil {
			return err
		}
	}
	before := ""
	if p.head.Seq > 0 {
		before = string(p.head.Hash[:])
	}
	answer, err := script.Run(ctx.Request().Context(), client, keys,
		commit.Seq, 1, "reference", p.head.Seq, before, "0-0", "0-0", "0-0", commit.Seq, string(commit.Hash[:]), "1", 0, "", 1, 0, 0, 0,
		commit.AppendFrame(nil)).StringSlice()
	if err != nil {
		return err
	}
	if answer[0] != "OK" {
		return echo.NewHTTPError(http.StatusInternalServerError, answer)
	}
	p.head = commit.Head()
	return nil
}

// startRedisReference runs the reference on a Redis server.
func startRedisReference(t testing.TB, url string, page answer) string {
	t.Helper()
	source, err := os.ReadFile("../../eventlog/redis/append.lua")
	require.NoError(t, err)
	return startReference(t, page, map[string][]byte{"redis": []byte(url), "append.lua": source})
}
