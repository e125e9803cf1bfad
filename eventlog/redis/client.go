package redis

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Time limits for the server.
const (
	dialTimeout = 2 * time.Second
	readTimeout = 3 * time.Second
)

// connectHook checks the server of a new connection before anything else is sent. An error closes the connection.
type connectHook func(context.Context, *redis.Conn) error

// dial returns a client with its own connections, at most the given number for each server, and buffers of the given
// size for each. It never retries: callers decide which commands may be sent twice. Pipelines have no separate pool,
// because the client would try that pool first and wait for an unresponsive server twice.
func (a address) dial(connections, buffer int, greet connectHook) redis.UniversalClient {
	quiet := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled} // a handshake for the servers of one vendor
	switch {
	case a.cluster != nil:
		options := *a.cluster
		options.PipelinePoolSize, options.ReadBufferSize, options.WriteBufferSize = -1, buffer, buffer
		options.PoolSize, options.MaxRetries, options.DialerRetries, options.MaxRedirects, options.OnConnect = connections, -1, 1, 3, greet
		options.DialTimeout, options.ReadTimeout, options.ContextTimeoutEnabled, options.MaintNotificationsConfig = dialTimeout, readTimeout, true, quiet
		client := redis.NewClusterClient(&options)
		client.OnNewNode(func(node *redis.Client) { node.AddHook(dialErrorHook{}) })
		return client
	case a.sentinel != nil:
		options := *a.sentinel
		options.PipelinePoolSize, options.ReadBufferSize, options.WriteBufferSize = -1, buffer, buffer
		options.PoolSize, options.MaxRetries, options.DialerRetries, options.OnConnect = connections, -1, 1, greet
		options.DialTimeout, options.ReadTimeout, options.ContextTimeoutEnabled = dialTimeout, readTimeout, true
		client := redis.NewFailoverClient(&options)
		client.AddHook(dialErrorHook{})
		return client
	default:
		options := *a.single
		options.PipelinePoolSize, options.ReadBufferSize, options.WriteBufferSize = -1, buffer, buffer
		options.PoolSize, options.MaxRetries, options.DialerRetries, options.OnConnect = connections, -1, 1, greet
		options.DialTimeout, options.ReadTimeout, options.ContextTimeoutEnabled, options.MaintNotificationsConfig = dialTimeout, readTimeout, true, quiet
		client := redis.NewClient(&options)
		client.AddHook(dialErrorHook{})
		return client
	}
}

// clientLogger receives the log lines of go-redis, which it would otherwise write to standard error. A process has one
// such logger.
type clientLogger struct{ to *slog.Logger }

func (c clientLogger) Printf(ctx context.Context, format string, args ...any) {
	c.to.DebugContext(ctx, "go-redis: "+fmt.Sprintf(format, args...))
}

// dialErrorHook marks all errors of connecting: unknown host, no route, no sentinel, invalid certificate.
type dialErrorHook struct{}

var _ redis.Hook = dialErrorHook{}

func (dialErrorHook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		if err != nil {
			return nil, dialError{err}
		}
		return conn, nil
	}
}

func (dialErrorHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (dialErrorHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// serverOf returns the client of the server that holds the key now.
func serverOf(ctx context.Context, client redis.UniversalClient, key string) (*redis.Client, error) {
	switch client := client.(type) {
	case *redis.Client:
		return client, nil
	case *redis.ClusterClient:
		return client.MasterForKey(ctx, key)
	default:
		return nil, fmt.Errorf("a %T has no server for a key", client)
	}
}

// eachMaster calls visit for every server of the log, one after the other, with its address on a cluster, and with ""
// for a single server.
func eachMaster(ctx context.Context, client redis.UniversalClient, visit func(ctx context.Context, name string, client *redis.Client) error) error {
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		one, err := serverOf(ctx, client, nodesKey)
		if err != nil {
			return err
		}
		return visit(ctx, "", one)
	}
	turn := make(chan struct{}, 1) // ForEachMaster calls concurrently
	return cluster.ForEachMaster(ctx, func(ctx context.Context, client *redis.Client) error {
		turn <- struct{}{}
		defer func() { <-turn }()
		return visit(ctx, client.Options().Addr, client)
	})
}
