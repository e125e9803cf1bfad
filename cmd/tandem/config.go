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
	"time"

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
	privateNetworks   string         // networks of webhooks, as written
	privatePrefixes   []netip.Prefix // and as read

	operatorToken string // TANDEM_OPERATOR_TOKEN only: a secret has no place on a command line
	key           []byte // TANDEM_KEY only, for the same reason; nil: the one in data
	demo          bool

	now func() time.Time // set by tests
}

// clock returns the clock of the node. The log on Redis has its own, which it compares with the server's.
func (c *config) clock() func() time.Time {
	if c.now == nil {
		return time.Now
	}
	return c.now
}

func bindConfig(flags *pflag.FlagSet) *config {
	cfg := new(config)
	flags.StringVar(&cfg.listen, "listen", "127.0.0.1:8080", "address to serve on")
	flags.StringVar(&cfg.adminListen, "admin-listen", "", "address for /metrics (default: the same as --listen)")
	flags.StringVar(&cfg.data, "data", "./data", "directory of the log, the keys and the snapshots")
	flags.StringVar(&cfg.redis, "redis", "", "server of a log that many nodes share: redis://, rediss://, redis+sentinel://HOST,HOST/MASTER or redis+cluster://HOST,HOST (default: the embedded log under --data)")
	flags.StringVar(&cfg.durability, "redis-durability", string(redis.Disk), "what an acknowledged command survives: disk (crash of the server) or replicated (loss of the server)")
	flags.IntVar(&cfg.replicas, "redis-replicas", 1, "with replicated: how many replicas must have a command")
	flags.StringVar(&cfg.publicURL, "public-url", "", "address under which users reach the server (default: http://LISTEN)")
	flags.StringVar(&cfg.privateNetworks, "allow-private-webhooks", "", "private networks that webhooks may lead to, such as 10.0.0.0/8,fd00::/8; there also over http and to any port (default: none)")
	flags.StringVar(&cfg.operatorTokenFile, "operator-token-file", "", "file with the operator's token (or TANDEM_OPERATOR_TOKEN)")
	return cfg
}

// load adds the environment and checks everything; the error names every mistake.
func (c *config) load(flags *pflag.FlagSet, env func(string) (string, bool)) error {
	var errs []error
	flags.VisitAll(func(flag *pflag.Flag) {
		name := "TANDEM_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
		if value, ok := env(name); ok && !flag.Changed {
			if err := flag.Value.Set(value); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
			}
		}
	})
	errs = append(errs, c.validate()...)
	errs = append(errs, c.loadSecrets(env)...)
	return errors.Join(errs...)
}

func (c *config) validate() (errs []error) {
	if err := validateAddress(c.listen); err != nil {
		errs = append(errs, fmt.Errorf("--listen %q: %w", c.listen, err))
	}
	if err := validateAddress(c.adminListen); c.adminListen != "" && err != nil {
		errs = append(errs, fmt.Errorf("--admin-listen %q: %w", c.adminListen, err))
	}
	if c.data == "" {
		errs = append(errs, errors.New("--data is empty: name a directory"))
	}
	if err := redisConfig(*c, nil).Validate(); c.redis != "" && err != nil {
		errs = append(errs, fmt.Errorf("--redis: %w", err))
	}
	networks, err := webhooks.ParseNetworks(c.privateNetworks)
	if err != nil {
		errs = append(errs, fmt.Errorf("--allow-private-webhooks: %w", err))
	}
	c.privatePrefixes = networks
	if c.publicURL != "" {
		parsed, err := url.Parse(c.publicURL)
		if err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Host == "" || parsed.RawQuery != "" || parsed.Fragment != "" {
			errs = append(errs, fmt.Errorf("--public-url %q: want http:// or https://, a host, and at most a path", c.publicURL))
		}
		c.publicURL = strings.TrimRight(c.publicURL, "/")
	}
	return errs
}

// validateAddress refuses what cannot be listened on.
func validateAddress(text string) error {
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return fmt.Errorf("want host:port: %w", err)
	}
	return nil
}

// minTokenLength is the least length of an operator's token that somebody chose, in bytes.
const minTokenLength = 16

func (c *config) loadSecrets(env func(string) (string, bool)) (errs []error) {
	source := "TANDEM_OPERATOR_TOKEN"
	c.operatorToken, _ = env(source)
	if c.operatorToken == "" && c.operatorTokenFile != "" {
		source = "--operator-token-file"
		raw, err := os.ReadFile(c.operatorTokenFile)
		if err != nil {
			return append(errs, fmt.Errorf("%s: %w", source, err))
		}
		c.operatorToken = strings.TrimSpace(string(raw))
		if c.operatorToken == "" {
			errs = append(errs, fmt.Errorf("%s %s is empty", source, c.operatorTokenFile))
		}
	}
	if n := len(c.operatorToken); n > 0 && n < minTokenLength {
		errs = append(errs, fmt.Errorf("%s has %d bytes; at least %d are needed", source, n, minTokenLength))
	}
	if text, ok := env("TANDEM_KEY"); ok {
		key, err := parseKey(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("TANDEM_KEY: %w", err))
		}
		c.key = key
	}
	return errs
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
