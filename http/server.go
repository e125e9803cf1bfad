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
	"tandem/projections/sentences"
	"tandem/webhooks"
	"tandem/webhooks/formats"
)

// Commander handles commands. A *bus.Bus is one.
type Commander interface {
	// Do sends a command and waits until its outcome has been applied on this node, or ctx ends.
	Do(ctx context.Context, request bus.Request) (bus.Result, error)
	// Lookup returns the outcome of a recent command.
	Lookup(id eventlog.CommandID) (bus.Result, bool)
}

// Config configures a Server. Commands, ReadModel and InstallationKey are required.
type Config struct {
	Commands  Commander
	ReadModel *projections.ReadModel
	// InstallationKey is at least 32 random bytes. Command ids and secrets derive from it; with another key a
	// repeated request is a new command.
	InstallationKey []byte
	// OperatorTokenHash is the SHA-256 of the operator's token; zero: there is no operator.
	OperatorTokenHash [sha256.Size]byte
	// BaseURL is the address at which clients reach the server, without a trailing slash. Empty: relative to the API
	// description.
	BaseURL string
	Now     func() time.Time // default: time.Now
	Logger  *slog.Logger     // default: discards
	// DurableQueue states that sent commands are decided even if this process ends, so that 202 is possible.
	DurableQueue bool
	// Operations reads the log's state for the operator; nil: these routes and metrics do not exist.
	Operations Operations
	// Attempts reads the attempt history of webhooks; nil: there is none.
	Attempts AttemptHistory
	// Lanes returns the status of this node's lanes, for the metrics of Admin; nil: there are none.
	Lanes func() []webhooks.LaneStatus
	// LatestMessage returns the message of the latest event that a webhook subscribes to; false if there is none.
	// Nil: previews show test messages.
	LatestMessage func(ctx context.Context, webhook *domain.Webhook) (formats.Message, bool, error)
	// PrivateNetworks are the private networks to which webhooks may connect. The webhook client enforces them; here
	// they decide which addresses may use http.
	PrivateNetworks []netip.Prefix
	// Ready returns nil while the node is ready, for /readyz. Default: always ready.
	Ready func() error
	// Fresh returns nil while the node has read the log recently, otherwise the reason. It is called for every
	// request with a token before anything else and must be cheap. Default: always fresh.
	Fresh func() error
	// AcceptNew returns nil while the log has space for new partners and agreements, otherwise the reason for the
	// operator. Default: always.
	AcceptNew func() error
	// Metrics is the registry of /metrics, to which the Server adds its own. Default: a new one.
	Metrics *prometheus.Registry
	// SeparateAdmin serves /metrics by Admin only.
	SeparateAdmin bool
}

func (c *Config) validate() error {
	var problems []error
	if c.Commands == nil || c.ReadModel == nil {
		problems = append(problems, errors.New("the configuration needs Commands and ReadModel"))
	}
	if len(c.InstallationKey) < 32 {
		problems = append(problems, fmt.Errorf("InstallationKey has %d bytes; it needs at least 32", len(c.InstallationKey)))
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
	book        *sentences.Book
	metrics     *metrics
	derive      deriver
	keyring     *webhooks.Keyring
	operator    *projections.Identity
	describe    func() ([]byte, error) // the API description, rendered once

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
	if server.book, err = sentences.New(); err != nil {
		return nil, fmt.Errorf("http: %w", err)
	}
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

// Handler serves the API, also to requests made in this process; see [WithRecordedAt].
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

// Drain makes the server not ready and ends long polls and event streams, so that shutdown does not wait for them.
// Requests are still served.
func (s *Server) Drain() { s.drainOnce.Do(func() { close(s.draining) }) }

type recordedAtKey struct{}

// WithRecordedAt returns a context for requests made in this process, whose commands are recorded at t, for a loader
// that fills an empty log. The bus refuses it at any other time. No request from the network can carry it.
func WithRecordedAt(ctx context.Context, at time.Time) context.Context {
	return context.WithValue(ctx, recordedAtKey{}, at)
}

func recordedAt(ctx context.Context) (time.Time, bool) {
	at, ok := ctx.Value(recordedAtKey{}).(time.Time)
	return at, ok
}
