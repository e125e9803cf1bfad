package main

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"tandem/eventlog/redis"
	"tandem/webhooks"
)

// config is what flags, environment and defaults say, in this order of weight. Every flag has an
// environment variable: --public-url is TANDEM_PUBLIC_URL.
type config struct {
	listen            string
	adminListen       string
	data              string
	redis             string // empty: the embedded log
	durability        string
	replicas          int
	publicURL         string
	operatorTokenFile string
	allowPrivate      string         // networks of webhooks, as written
	privateWebhooks   []netip.Prefix // and as read

	operatorToken string // TANDEM_OPERATOR_TOKEN only: a secret has no place on a command line
	key           []byte // TANDEM_KEY only, for the same reason; nil: the one in data
	demo          bool
}

func bindConfig(flags *pflag.FlagSet) *config {
	c := new(config)
	flags.StringVar(&c.listen, "listen", "127.0.0.1:8080", "address to serve on")
	flags.StringVar(&c.adminListen, "admin-listen", "", "address for /metrics (default: the same as --listen)")
	flags.StringVar(&c.data, "data", "./data", "directory of the log, the keys and the snapshots")
	flags.StringVar(&c.redis, "redis", "", "server of a log that many nodes share: redis://, rediss://, redis+sentinel://HOST,HOST/MASTER or redis+cluster://HOST,HOST (default: the embedded log under --data)")
	flags.StringVar(&c.durability, "redis-durability", string(redis.Disk), "what an acknowledged command survives: disk (crash of the server) or replicated (loss of the server)")
	flags.IntVar(&c.replicas, "redis-replicas", 1, "with replicated: how many replicas must have a command")
	flags.StringVar(&c.publicURL, "public-url", "", "address under which users reach the server (default: http://LISTEN)")
	flags.StringVar(&c.allowPrivate, "allow-private-webhooks", "", "private networks that webhooks may lead to, such as 10.0.0.0/8,fd00::/8; there also over http and to any port (default: none)")
	flags.StringVar(&c.operatorTokenFile, "operator-token-file", "", "file with the operator's token (or TANDEM_OPERATOR_TOKEN)")
	return c
}

// load adds the environment and checks everything; the error names every mistake.
func (c *config) load(flags *pflag.FlagSet, env func(string) (string, bool)) error {
	var mistakes []error
	flags.VisitAll(func(f *pflag.Flag) {
		name := "TANDEM_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if value, ok := env(name); ok && !f.Changed {
			if err := f.Value.Set(value); err != nil {
				mistakes = append(mistakes, fmt.Errorf("%s: %w", name, err))
			}
		}
	})
	mistakes = append(mistakes, c.check()...)
	mistakes = append(mistakes, c.loadSecrets(env)...)
	return errors.Join(mistakes...)
}

func (c *config) check() (mistakes []error) {
	if err := address(c.listen); err != nil {
		mistakes = append(mistakes, fmt.Errorf("--listen %q: %w", c.listen, err))
	}
	if err := address(c.adminListen); c.adminListen != "" && err != nil {
		mistakes = append(mistakes, fmt.Errorf("--admin-listen %q: %w", c.adminListen, err))
	}
	if c.data == "" {
		mistakes = append(mistakes, errors.New("--data is empty: name a directory"))
	}
	if err := redisConfig(*c, nil).Validate(); c.redis != "" && err != nil {
		mistakes = append(mistakes, fmt.Errorf("--redis: %w", err))
	}
	networks, err := webhooks.ParseNetworks(c.allowPrivate)
	if err != nil {
		mistakes = append(mistakes, fmt.Errorf("--allow-private-webhooks: %w", err))
	}
	c.privateWebhooks = networks
	if c.publicURL != "" {
		u, err := url.Parse(c.publicURL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			mistakes = append(mistakes, fmt.Errorf("--public-url %q: want http:// or https://, a host, and at most a path", c.publicURL))
		}
		c.publicURL = strings.TrimRight(c.publicURL, "/")
	}
	return mistakes
}

// address refuses what cannot be listened on.
func address(text string) error {
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return fmt.Errorf("want host:port: %w", err)
	}
	return nil
}

// minToken is the least length of an operator's token that somebody chose, in bytes.
const minToken = 16

func (c *config) loadSecrets(env func(string) (string, bool)) (mistakes []error) {
	source := "TANDEM_OPERATOR_TOKEN"
	c.operatorToken, _ = env(source)
	if c.operatorToken == "" && c.operatorTokenFile != "" {
		source = "--operator-token-file"
		raw, err := os.ReadFile(c.operatorTokenFile)
		if err != nil {
			return append(mistakes, fmt.Errorf("%s: %w", source, err))
		}
		c.operatorToken = strings.TrimSpace(string(raw))
		if c.operatorToken == "" {
			mistakes = append(mistakes, fmt.Errorf("%s %s is empty", source, c.operatorTokenFile))
		}
	}
	if n := len(c.operatorToken); n > 0 && n < minToken {
		mistakes = append(mistakes, fmt.Errorf("%s has %d bytes; at least %d are needed", source, n, minToken))
	}
	if text, ok := env("TANDEM_KEY"); ok {
		key, err := parseKey(text)
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("TANDEM_KEY: %w", err))
		}
		c.key = key
	}
	return mistakes
}

// keySize is the length of an installation key in bytes.
const keySize = 32

func parseKey(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	for _, decode := range []func(string) ([]byte, error){
		hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawURLEncoding.DecodeString,
	} {
		if key, err := decode(text); err == nil && len(key) == keySize {
			return key, nil
		}
	}
	return nil, fmt.Errorf("want %d bytes in hexadecimal or base64", keySize)
}
