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
	display  string // the URL without user, password and options
}

func parseURL(text string) (addr address, err error) {
	text = strings.TrimSpace(text)
	parsed, hosts, err := splitURL(text)
	if err != nil && strings.Contains(text, "@") || err == nil && strings.Contains(parsed.Path+parsed.RawQuery+parsed.Fragment, "@") {
		return addr, fmt.Errorf("redis log: %q is no URL: percent-encode the characters / ? # @ %% in a password", redact(text))
	}
	if err != nil {
		return addr, fmt.Errorf("redis log: %q is no URL with a host: want redis://HOST:PORT, rediss://, redis+sentinel://HOST,HOST/MASTER or redis+cluster://HOST,HOST", redact(text))
	}
	addr.display = (&url.URL{Scheme: parsed.Scheme, Host: parsed.Host, Path: parsed.Path}).String()
	password, _ := parsed.User.Password()
	switch parsed.Scheme {
	case "redis", "rediss":
		if len(hosts) > 1 {
			return addr, fmt.Errorf("redis log: %s has several hosts: use redis+sentinel:// or redis+cluster://", addr.display)
		}
		if addr.single, err = redis.ParseURL(text); err != nil {
			return addr, fmt.Errorf("redis log: %s: %w", addr.display, err)
		}
	case "redis+sentinel":
		name := strings.Trim(parsed.Path, "/")
		if name == "" {
			return addr, fmt.Errorf("redis log: %s: the master's name is missing: want redis+sentinel://HOST,HOST/MASTER", addr.display)
		}
		addr.sentinel = &redis.FailoverOptions{MasterName: name, SentinelAddrs: withPort(hosts, "26379"), Username: parsed.User.Username(), Password: password}
	case "redis+cluster":
		addr.cluster = &redis.ClusterOptions{Addrs: withPort(hosts, "6379"), Username: parsed.User.Username(), Password: password}
	default:
		return addr, fmt.Errorf("redis log: scheme %q: want redis, rediss, redis+sentinel or redis+cluster", parsed.Scheme)
	}
	return addr, nil
}

// splitURL parses a URL with one or more hosts, each with or without a port.
func splitURL(text string) (parsed *url.URL, hosts []string, err error) {
	scheme, rest, _ := strings.Cut(text, "://")
	end := strings.IndexAny(rest+"/", "/?#")
	at := strings.LastIndex(rest[:end], "@") + 1
	hosts = strings.Split(rest[at:end], ",")
	for _, host := range hosts {
		if parsed, err = url.Parse(scheme + "://" + rest[:at] + host + rest[end:]); err == nil && parsed.Host == "" {
			err = errors.New("a host is missing")
		}
		if err != nil {
			return nil, nil, err
		}
	}
	parsed.Host = strings.Join(hosts, ",")
	return parsed, hosts, nil
}

// redact removes a possible password from a text that is no URL.
func redact(text string) string {
	if at := strings.LastIndex(text, "@"); at >= 0 {
		return "…" + text[at:]
	}
	return text
}

func withPort(hosts []string, port string) []string {
	out := make([]string, len(hosts))
	for i, host := range hosts {
		if out[i] = host; !strings.Contains(host[strings.LastIndex(host, "]")+1:], ":") {
			out[i] += ":" + port
		}
	}
	return out
}
