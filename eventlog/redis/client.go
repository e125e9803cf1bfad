package redis

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// How long anything waits for the server.
const (
	dialTimeout = 2 * time.Second
	readTimeout = 3 * time.Second
)

// dial returns a client with its own connections, at most so many per server. It repeats nothing by
// itself: what may be sent twice is for each caller to know.
func (a address) dial(connections int) redis.UniversalClient {
	quiet := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled} // a handshake that only one vendor's servers know
	switch {
	case a.cluster != nil:
		o := *a.cluster
		o.PoolSize, o.MaxRetries, o.DialerRetries, o.MaxRedirects = connections, -1, 1, 3
		o.DialTimeout, o.ReadTimeout, o.ContextTimeoutEnabled, o.MaintNotificationsConfig = dialTimeout, readTimeout, true, quiet
		return redis.NewClusterClient(&o)
	case a.sentinel != nil:
		o := *a.sentinel
		o.PoolSize, o.MaxRetries, o.DialerRetries = connections, -1, 1
		o.DialTimeout, o.ReadTimeout, o.ContextTimeoutEnabled = dialTimeout, readTimeout, true
		return redis.NewFailoverClient(&o)
	default:
		o := *a.single
		o.PoolSize, o.MaxRetries, o.DialerRetries = connections, -1, 1
		o.DialTimeout, o.ReadTimeout, o.ContextTimeoutEnabled, o.MaintNotificationsConfig = dialTimeout, readTimeout, true, quiet
		return redis.NewClient(&o)
	}
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
