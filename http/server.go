package http

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"tandem/bus"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
	"tandem/projections/feed"
	"tandem/webhooks"
	"tandem/webhooks/formats"
)

// Commander handles commands; a *bus.Bus does.
type Commander interface {
	// Do sends a command and waits until its outcome is applied here, or ctx ends.
	Do(ctx context.Context, request bus.Request) (bus.Result, error)
	// Lookup returns how a recent command ended.
	Lookup(id eventlog.CommandID) (bus.Result, bool)
}

// Config says what a Server works with. Commands, Image and Key are needed.
type Config struct {
	Commands  Commander
	ReadModel *projections.ReadModel
	// InstallationKey is the installation key, at least 32 random bytes. Command ids and secrets derive from
	// it; with another key a repeated request is a new one.
	InstallationKey []byte
	// OperatorTokenHash is the SHA-256 of the operator's token; zero: nobody is the operator.
	OperatorTokenHash [sha256.Size]byte
	// BaseURL is where clients reach the server, without a trailing slash; it is told in the API
	// description. Empty: the description's own origin.
	BaseURL string
	Now     func() time.Time // default: time.Now
	Logger  *slog.Logger     // default: silent
	// DurableQueue says that a command that was sent will be decided even if this process ends,
	// so that 202 can be answered.
	DurableQueue bool
	// Operations is asked for what the operator wants to know of the log; nil: there are no such
	// routes and metrics.
	Operations Operations
	// Attempts tells what became of the deliveries of webhooks; nil: there are none.
	Attempts AttemptHistory
	// Lanes tells how this node's deliveries stand, for metrics on a listener of their own; nil: there are none.
	Lanes func() []webhooks.LaneStatus
	// LatestMessage returns the latest event that a webhook asks for, as it would be delivered; false if there is
	// none. Nil: nothing is known of events, and previews are of tests.
	LatestMessage func(ctx context.Context, webhook *domain.Webhook) (formats.Message, bool, error)
	// PrivateNetworks are the private networks that webhooks may lead to. The deliveries see to it; here
	// it decides which addresses may begin with http://.
	PrivateNetworks []netip.Prefix
	// Ready returns nil while the node can serve; /readyz asks it. Default: always ready.
	Ready func() error
	// Fresh returns nil while the node knows the present state of the log, else why not. Every request
	// with a token asks it, before anything else of it is looked at; it must cost next to nothing.
	// Default: always fresh.
	Fresh func() error
	// AcceptNew returns nil while the log has room for new partners and agreements, else why not, for
	// the operator. Default: always.
	AcceptNew func() error
	// Metrics is what /metrics shows, beside what the Server adds to it. Default: a new one.
	Metrics *prometheus.Registry
	// SeparateAdmin leaves /metrics to Admin, away from Handler.
	SeparateAdmin bool
}

func (c *Config) validate() error {
	var problems []error
	if c.Commands == nil || c.ReadModel == nil {
		problems = append(problems, errors.New("commands and an image are needed"))
	}
	if len(c.InstallationKey) < 32 {
		problems = append(problems, fmt.Errorf("the installation key has %d bytes; at least 32 are needed", len(c.InstallationKey)))
	}
	if strings.HasSuffix(c.BaseURL, "/") {
		problems = append(problems, fmt.Errorf("base URL %q ends with a slash", c.BaseURL))
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	for _, ask := range []*func() error{&c.Ready, &c.Fresh, &c.AcceptNew} {
		if *ask == nil {
			*ask = func() error { return nil }
		}
	}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	return errors.Join(problems...)
}

// Server is the HTTP edge. Its methods are safe for concurrent use.
type Server struct {
	cfg         Config
	echo        *echo.Echo
	eventReader *feed.Reader
	metrics     *metrics
	derive      deriver
	keyring     *webhooks.Keyring
	operator    *projections.Identity
	describe    func() ([]byte, error) // the API description, made once

	drainOnce sync.Once
	draining  chan struct{}
}

// New returns a Server with all routes.
func New(cfg Config) (*Server, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("http: %w", err)
	}
	server := &Server{
		cfg:         cfg,
		echo:        echo.New(),
		eventReader: feed.NewReader(cfg.ReadModel),
		derive:      deriver{secret: cfg.InstallationKey},
		draining:    make(chan struct{}),
		operator: &projections.Identity{
			Viewer: projections.Viewer{Operator: true}, Member: "operator", Role: domain.Operator, TimeZone: time.UTC,
		},
		describe: sync.OnceValues(func() ([]byte, error) { return describe(cfg.BaseURL) }),
	}
	var err error
	if server.keyring, err = webhooks.NewKeyring(cfg.InstallationKey); err != nil {
		return nil, fmt.Errorf("http: %w", err)
	}
	if server.metrics, err = newMetrics(cfg.Metrics); err != nil {
		return nil, fmt.Errorf("http: %w", err)
	}
	if err := cfg.Metrics.Register(newLossCollector(cfg.ReadModel)); err != nil {
		return nil, fmt.Errorf("http: %w", err)
	}
	if cfg.Lanes != nil && cfg.SeparateAdmin {
		if err := cfg.Metrics.Register(newLaneMetrics(cfg.Lanes)); err != nil {
			return nil, fmt.Errorf("http: %w", err)
		}
	}
	if cfg.Operations != nil {
		if err := cfg.Metrics.Register(newLogMetrics(cfg.Operations, cfg.ReadModel, cfg.Now)); err != nil {
			return nil, fmt.Errorf("http: %w", err)
		}
	}
	server.echo.IPExtractor = echo.ExtractIPDirect()
	server.echo.HTTPErrorHandler = server.serveUnrouted
	for _, rt := range routes() {
		if rt.path == metricsPath && cfg.SeparateAdmin {
			continue
		}
		server.add(rt)
	}
	return server, nil
}

func (s *Server) add(rt *route) {
	handler := s.endpoint(rt, s.metrics.route(rt.method, rt.path))
	s.echo.Add(rt.method, rt.echoPath(), handler)
	if rt.method == http.MethodGet {
		s.echo.Add(http.MethodHead, rt.echoPath(), handler)
	}
}

// Handler serves the API. It also serves requests made in this process; see At.
func (s *Server) Handler() http.Handler { return s.echo }

// Admin serves /metrics, /livez and /readyz, for a listener that only the operator reaches.
func (s *Server) Admin() http.Handler {
	router := echo.New()
	router.HTTPErrorHandler = s.serveUnrouted
	for _, rt := range routes() {
		if rt.admin {
			router.Add(rt.method, rt.echoPath(), s.endpoint(rt, s.metrics.route("admin", rt.path)))
		}
	}
	return router
}

// Drain makes the server not ready and ends long polls and event streams, so that a graceful stop
// need not wait for them. Requests are still served.
func (s *Server) Drain() { s.drainOnce.Do(func() { close(s.draining) }) }

type recordedAtKey struct{}

// WithRecordedAt returns a context for requests served in this process whose commands shall be recorded at t:
// for a loader that fills an empty log. The bus refuses it at any other time, and no request from
// the network can carry it.
func WithRecordedAt(ctx context.Context, at time.Time) context.Context {
	return context.WithValue(ctx, recordedAtKey{}, at)
}

func recordedAt(ctx context.Context) (time.Time, bool) {
	at, ok := ctx.Value(recordedAtKey{}).(time.Time)
	return at, ok
}
