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

// greeting looks at a server to which a connection was made, before anything else is sent over it. An
// error ends the connection.
type greeting func(context.Context, *redis.Conn) error

// dial returns a client with its own connections, at most so many per server, and buffers of the given size
// for each. It repeats nothing by itself: what may be sent twice is for each caller to know. Pipelines have
// no pool of their own, which would be tried before the other one, each for as long as a silent server is
// waited for.
func (a address) dial(connections, buffer int, greet greeting) redis.UniversalClient {
	quiet := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled} // a handshake that only one vendor's servers know
	switch {
	case a.cluster != nil:
		o := *a.cluster
		o.PipelinePoolSize, o.ReadBufferSize, o.WriteBufferSize = -1, buffer, buffer
		o.PoolSize, o.MaxRetries, o.DialerRetries, o.MaxRedirects, o.OnConnect = connections, -1, 1, 3, greet
		o.DialTimeout, o.ReadTimeout, o.ContextTimeoutEnabled, o.MaintNotificationsConfig = dialTimeout, readTimeout, true, quiet
		c := redis.NewClusterClient(&o)
		c.OnNewNode(func(node *redis.Client) { node.AddHook(dialling{}) })
		return c
	case a.sentinel != nil:
		o := *a.sentinel
		o.PipelinePoolSize, o.ReadBufferSize, o.WriteBufferSize = -1, buffer, buffer
		o.PoolSize, o.MaxRetries, o.DialerRetries, o.OnConnect = connections, -1, 1, greet
		o.DialTimeout, o.ReadTimeout, o.ContextTimeoutEnabled = dialTimeout, readTimeout, true
		c := redis.NewFailoverClient(&o)
		c.AddHook(dialling{})
		return c
	default:
		o := *a.single
		o.PipelinePoolSize, o.ReadBufferSize, o.WriteBufferSize = -1, buffer, buffer
		o.PoolSize, o.MaxRetries, o.DialerRetries, o.OnConnect = connections, -1, 1, greet
		o.DialTimeout, o.ReadTimeout, o.ContextTimeoutEnabled, o.MaintNotificationsConfig = dialTimeout, readTimeout, true, quiet
		c := redis.NewClient(&o)
		c.AddHook(dialling{})
		return c
	}
}

// chatter takes what go-redis writes for its own developers, which is to the standard error otherwise. There
// is one such logger in a process.
type chatter struct{ to *slog.Logger }

func (c chatter) Printf(ctx context.Context, format string, v ...any) {
	c.to.DebugContext(ctx, "go-redis: "+fmt.Sprintf(format, v...))
}

// dialling marks the errors of connecting, of whatever kind they are: no name, no route, no sentinel, a
// wrong certificate.
type dialling struct{}

var _ redis.Hook = dialling{}

func (dialling) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		if err != nil {
			return nil, unsent{err}
		}
		return conn, nil
	}
}

func (dialling) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (dialling) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// server returns the client of the one server that holds the key now.
func server(ctx context.Context, c redis.UniversalClient, key string) (*redis.Client, error) {
	switch c := c.(type) {
	case *redis.Client:
		return c, nil
	case *redis.ClusterClient:
		return c.MasterForKey(ctx, key)
	default:
		return nil, fmt.Errorf("a %T does not say which server holds a key", c)
	}
}

// masters calls f for every server that holds a part of the log, one after the other, with the address by
// which a cluster knows it, and "" where there is one server.
func masters(ctx context.Context, c redis.UniversalClient, f func(ctx context.Context, name string, c *redis.Client) error) error {
	cluster, ok := c.(*redis.ClusterClient)
	if !ok {
		one, err := server(ctx, c, nodesKey)
		if err != nil {
			return err
		}
		return f(ctx, "", one)
	}
	turn := make(chan struct{}, 1) // they are visited side by side
	return cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		turn <- struct{}{}
		defer func() { <-turn }()
		return f(ctx, c.Options().Addr, c)
	})
}
