package redis

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/redis/go-redis/v9"
)

// address is a parsed URL.
type address struct {
	single   *redis.Options
	sentinel *redis.FailoverOptions
	cluster  *redis.ClusterOptions
	place    string // for people: without who one is, and options
}

func parseURL(text string) (a address, err error) {
	text = strings.TrimSpace(text)
	u, hosts, err := splitURL(text)
	if err != nil && strings.Contains(text, "@") || err == nil && strings.Contains(u.Path+u.RawQuery+u.Fragment, "@") {
		return a, fmt.Errorf("redis log: %q cannot be read: the signs / ? # @ %% in a password must be percent-encoded", redact(text))
	}
	if err != nil {
		return a, fmt.Errorf("redis log: %q is no URL with a host: want redis://HOST:PORT, rediss://, redis+sentinel://HOST,HOST/MASTER or redis+cluster://HOST,HOST", redact(text))
	}
	a.place = (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	password, _ := u.User.Password()
	switch u.Scheme {
	case "redis", "rediss":
		if len(hosts) > 1 {
			return a, fmt.Errorf("redis log: %s: several hosts are for redis+sentinel:// or redis+cluster://", a.place)
		}
		if a.single, err = redis.ParseURL(text); err != nil {
			return a, fmt.Errorf("redis log: %s: %w", a.place, err)
		}
	case "redis+sentinel":
		name := strings.Trim(u.Path, "/")
		if name == "" {
			return a, fmt.Errorf("redis log: %s: the name of the master is missing: want redis+sentinel://HOST,HOST/MASTER", a.place)
		}
		a.sentinel = &redis.FailoverOptions{MasterName: name, SentinelAddrs: withPort(hosts, "26379"), Username: u.User.Username(), Password: password}
	case "redis+cluster":
		a.cluster = &redis.ClusterOptions{Addrs: withPort(hosts, "6379"), Username: u.User.Username(), Password: password}
	default:
		return a, fmt.Errorf("redis log: scheme %q: want redis, rediss, redis+sentinel or redis+cluster", u.Scheme)
	}
	return a, nil
}

// splitURL reads a URL that may have several hosts, each with or without a port.
func splitURL(text string) (u *url.URL, hosts []string, err error) {
	scheme, rest, _ := strings.Cut(text, "://")
	end := strings.IndexAny(rest+"/", "/?#")
	at := strings.LastIndex(rest[:end], "@") + 1
	hosts = strings.Split(rest[at:end], ",")
	for _, host := range hosts {
		if u, err = url.Parse(scheme + "://" + rest[:at] + host + rest[end:]); err == nil && u.Host == "" {
			err = errors.New("a host is missing")
		}
		if err != nil {
			return nil, nil, err
		}
	}
	u.Host = strings.Join(hosts, ",")
	return u, hosts, nil
}

// redact drops what may be a password from a text that is no URL.
func redact(text string) string {
	if at := strings.LastIndex(text, "@"); at >= 0 {
		return "…" + text[at:]
	}
	return text
}

func withPort(hosts []string, port string) []string {
	out := make([]string, len(hosts))
	for i, h := range hosts {
		if out[i] = h; !strings.Contains(h[strings.LastIndex(h, "]")+1:], ":") {
			out[i] += ":" + port
		}
	}
	return out
}
