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

// How long anything waits for the server.
const (
	dialTimeout = 2 * time.Second
	readTimeout = 3 * time.Second
)

// connectHook looks at a server to which a connection was made, before anything else is sent over it. An
// error ends the connection.
type connectHook func(context.Context, *redis.Conn) error

// dial returns a client with its own connections, at most so many per server, and buffers of the given size
// for each. It repeats nothing by itself: what may be sent twice is for each caller to know. Pipelines have
// no pool of their own, which would be tried before the other one, each for as long as a silent server is
// waited for.
func (a address) dial(connections, buffer int, greet connectHook) redis.UniversalClient {
	quiet := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled} // a handshake that only one vendor's servers know
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

// clientLogger takes what go-redis writes for its own developers, which is to the standard error otherwise. There
// is one such logger in a process.
type clientLogger struct{ to *slog.Logger }

func (c clientLogger) Printf(ctx context.Context, format string, args ...any) {
	c.to.DebugContext(ctx, "go-redis: "+fmt.Sprintf(format, args...))
}

// dialErrorHook marks the errors of connecting, of whatever kind they are: no name, no route, no sentinel, a
// wrong certificate.
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

// serverOf returns the client of the one server that holds the key now.
func serverOf(ctx context.Context, client redis.UniversalClient, key string) (*redis.Client, error) {
	switch client := client.(type) {
	case *redis.Client:
		return client, nil
	case *redis.ClusterClient:
		return client.MasterForKey(ctx, key)
	default:
		return nil, fmt.Errorf("a %T does not say which server holds a key", client)
	}
}

// eachMaster calls f for every server that holds a part of the log, one after the other, with the address by
// which a cluster knows it, and "" where there is one server.
func eachMaster(ctx context.Context, client redis.UniversalClient, visit func(ctx context.Context, name string, client *redis.Client) error) error {
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		one, err := serverOf(ctx, client, nodesKey)
		if err != nil {
			return err
		}
		return visit(ctx, "", one)
	}
	turn := make(chan struct{}, 1) // they are visited side by side
	return cluster.ForEachMaster(ctx, func(ctx context.Context, client *redis.Client) error {
		turn <- struct{}{}
		defer func() { <-turn }()
		return visit(ctx, client.Options().Addr, client)
	})
}
