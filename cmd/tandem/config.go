package main

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"tandem/eventlog/redis"
	"tandem/webhooks"
)

// config is the configuration of a node, from flags, environment variables and defaults.
type config struct {
	listen            string
	adminListen       string
	data              string
	redis             string // empty: the embedded log
	durability        string
	replicas          int
	publicURL         string
	operatorTokenFile string
	privateNetworks   string         // networks that webhooks may send to, as configured
	privatePrefixes   []netip.Prefix // privateNetworks, parsed

	// Secrets have no flags, because other users of the machine can read command lines.
	operatorToken string // from TANDEM_OPERATOR_TOKEN or the file
	key           []byte // from TANDEM_KEY; nil: the key in data
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
	flags.StringVar(&cfg.adminListen, "admin-listen", "", "separate address for /metrics (default: that of --listen)")
	flags.StringVar(&cfg.data, "data", "./data", "directory of the log, the keys and the snapshots")
	flags.StringVar(&cfg.redis, "redis", "", "Redis server of a log that several nodes share: redis://, rediss://, redis+sentinel://HOST,HOST/MASTER or redis+cluster://HOST,HOST (default: the embedded log under --data)")
	flags.StringVar(&cfg.durability, "redis-durability", string(redis.Disk), "failure that acknowledged commands survive: disk (a crash of the server) or replicated (the loss of the server)")
	flags.IntVar(&cfg.replicas, "redis-replicas", 1, "with replicated: number of replicas that must have a command")
	flags.StringVar(&cfg.publicURL, "public-url", "", "URL under which users reach the server (default: http:// and the address of --listen)")
	flags.StringVar(&cfg.privateNetworks, "allow-private-webhooks", "", "private networks that webhooks may send to, also over http and to any port, such as 10.0.0.0/8,fd00::/8 (default: none)")
	flags.StringVar(&cfg.operatorTokenFile, "operator-token-file", "", "file with the operator's token; takes precedence over TANDEM_OPERATOR_TOKEN")
	return cfg
}

// load reads the environment and validates the configuration. The error lists every invalid value.
func (c *config) load(bound *settings, env lookupEnv) error {
	errs := bound.load(env)
	errs = append(errs, c.validate(bound)...)
	errs = append(errs, c.loadSecrets(bound, env)...)
	return errors.Join(errs...)
}

func (c *config) validate(bound *settings) (errs []error) {
	if err := validateAddress(c.listen); err != nil {
		errs = append(errs, bound.invalid("listen", c.listen, err))
	}
	if err := validateAddress(c.adminListen); c.adminListen != "" && err != nil {
		errs = append(errs, bound.invalid("admin-listen", c.adminListen, err))
	}
	if c.data == "" {
		errs = append(errs, fmt.Errorf("%s is empty: name a directory", bound.source("data")))
	}
	if err := redisConfig(*c, nil).Validate(); c.redis != "" && err != nil {
		errs = append(errs, fmt.Errorf("%s: %w", bound.source("redis"), err)) // the URL may contain a password
	}
	var err error
	if c.privatePrefixes, err = webhooks.ParseNetworks(c.privateNetworks); err != nil {
		errs = append(errs, fmt.Errorf("%s: %w", bound.source("allow-private-webhooks"), err))
	}
	if c.publicURL != "" {
		if err := validateBaseURL(c.publicURL); err != nil {
			errs = append(errs, bound.invalid("public-url", c.publicURL, err))
		}
		c.publicURL = strings.TrimRight(c.publicURL, "/")
	}
	return errs
}

// validateAddress returns an error for an address that is not host:port.
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

// validateBaseURL returns an error for a URL to which no path can be appended, or that has credentials.
func validateBaseURL(text string) error {
	parsed, err := url.Parse(text)
	if err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Host == "" || parsed.RawQuery != "" || parsed.Fragment != "" || parsed.User != nil {
		return errors.New("want http:// or https://, a host, and at most a path")
	}
	return nil
}

// minTokenLength is the least length of a chosen operator's token, in bytes.
const minTokenLength = 16

func (c *config) loadSecrets(bound *settings, env lookupEnv) (errs []error) {
	var err error
	if c.operatorToken, err = operatorTokenOf(bound, env); err != nil {
		errs = append(errs, err)
	}
	if text, ok := env("TANDEM_KEY"); ok {
		if c.key, err = parseKey(text); err != nil {
			errs = append(errs, fmt.Errorf("TANDEM_KEY: %w", err))
		}
	}
	return errs
}

// operatorTokenOf returns the configured operator's token, or an empty one.
func operatorTokenOf(bound *settings, env lookupEnv) (string, error) {
	token, source, err := bound.token("TANDEM_OPERATOR_TOKEN", "operator-token-file", env)
	if n := len(token); err == nil && n > 0 && n < minTokenLength {
		err = fmt.Errorf("%s: the token has %d bytes; at least %d are required", source, n, minTokenLength)
	}
	return token, err
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
