package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"tandem/bus"
	"tandem/eventlog"
	api "tandem/http"
	"tandem/projections"
	"tandem/webhooks"
)

// drainTime is how long requests under way may take after SIGTERM.
const drainTime = 20 * time.Second

// app is the joined rooms, in the order in which they are opened.
type app struct {
	cfg      config
	logger   *slog.Logger
	listener net.Listener
	admin    net.Listener // nil: metrics are served with the rest
	url      string
	key      []byte // of the installation

	log     openedLog
	image   *projections.Image
	bus     *bus.Bus
	engine  *webhooks.Engine
	api     *api.Server
	loading atomic.Bool // the example is being loaded: commands may carry their own time

	following, routing, delivering worker
}

// serve runs everything until ctx ends. When a loss was accepted it begins again, on the same
// addresses: what was folded from the log is no longer what the log says.
func serve(ctx context.Context, cfg config, stdout, stderr io.Writer) error {
	logger := newLogger(stderr)
	for {
		a := &app{cfg: cfg, logger: logger}
		err := a.run(ctx, stdout, stderr)
		if !errors.Is(err, projections.ErrEpoch) {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		logger.Info("beginning again", "reason", err)
		cfg.listen = a.listener.Addr().String() // the port was perhaps any
		if a.admin != nil {
			cfg.adminListen = a.admin.Addr().String()
		}
	}
}

// run opens everything, runs until ctx ends, and closes everything.
func (a *app) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	logger := a.logger
	defer func() { err = errors.Join(err, a.close()) }()
	if err := a.open(ctx, stdout); err != nil {
		return err
	}
	front := new(front)
	servers := a.start(front)
	err = a.live(ctx)
	if err == nil && ctx.Err() == nil {
		err = a.welcome(ctx, stdout, stderr)
	}
	if err == nil && ctx.Err() == nil {
		front.open(a.api.Handler())
		logger.Info("ready", "url", a.url, "data", a.cfg.data)
		err = a.wait(ctx, servers)
		front.close()
		a.api.Drain()
	}
	servers.stop(logger)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil // told to stop in the middle of the start
	}
	return err
}

// open takes the address first, so that a busy port is told before anything else happens.
func (a *app) open(ctx context.Context, stdout io.Writer) error {
	if err := a.listen(); err != nil {
		return err
	}
	log, err := openLog(ctx, a.cfg, a.logger)
	if err != nil {
		return err
	}
	a.log = log
	if err := copying(ctx, log); err != nil {
		return err
	}
	empty, err := isEmpty(ctx, log)
	if err != nil {
		return err
	}
	key, err := installationKey(a.cfg, empty)
	if err != nil {
		return err
	}
	if err := log.claim(ctx, key); err != nil {
		return err
	}
	hash, fresh, err := operatorToken(a.cfg, key)
	if err != nil {
		return err
	}
	if fresh != "" {
		fmt.Fprintf(stdout, "The operator's token, shown this once: %s\n", fresh)
	}
	return a.join(key, hash)
}

func isEmpty(ctx context.Context, log eventlog.Log) (bool, error) {
	heads, err := log.Heads(ctx)
	return heads == eventlog.Positions{}, err
}

func (a *app) listen() (err error) {
	if a.listener, err = net.Listen("tcp", a.cfg.listen); err != nil {
		return err
	}
	a.url = a.cfg.publicURL
	if a.url == "" {
		a.url = "http://" + a.listener.Addr().String()
	}
	if a.cfg.adminListen != "" {
		a.admin, err = net.Listen("tcp", a.cfg.adminListen)
	}
	return err
}

// join makes the rooms know each other. Nothing runs yet.
func (a *app) join(key []byte, operator [32]byte) (err error) {
	a.image, err = projections.New(projections.Config{
		Log: a.log, Dir: a.cfg.data, BaseURL: a.url, Now: time.Now, Logger: a.logger,
		Applied: func(entries []eventlog.Entry) {
			a.bus.Applied(entries)
			a.engine.Applied(entries)
		},
	})
	if err != nil {
		return err
	}
	a.bus, err = bus.New(bus.Config{
		Log: a.log, Image: a.image, Logger: a.logger, Backdate: a.loading.Load, Shared: a.log.shared != nil,
	})
	if err != nil {
		return err
	}
	if a.engine, err = a.newEngine(key); err != nil {
		return err
	}
	a.api, err = a.newAPI(key, operator)
	a.key = key
	return err
}

func (a *app) newAPI(key []byte, operator [32]byte) (*api.Server, error) {
	return api.New(api.Config{
		Commands: a.bus, Image: a.image, Key: key, OperatorTokenHash: operator,
		BaseURL: a.url, Now: time.Now, Logger: a.logger, Ready: a.ready, Operations: operations{a.log, a.bus},
		Deliveries: deliveries{a.log, a.image}, Latest: a.engine.Latest, Lanes: a.engine.Lanes,
		DurableInbox: a.log.shared != nil, Fresh: a.log.fresh, AcceptNew: a.log.acceptNew, SeparateAdmin: a.admin != nil,
		PrivateWebhooks: a.cfg.privateWebhooks,
	})
}

// ready says whether the node can do all it is there for.
func (a *app) ready() error { return errors.Join(a.image.Health(), a.bus.Health(), a.log.fresh()) }

// live starts the image, and the bus once all that was durable is applied: owners decide on
// entities that a replay changes in place. It returns when every partition has its owner, or one has
// lost commits and can have none, or ctx ends.
func (a *app) live(ctx context.Context) error {
	a.following.start(a.image.Run)
	select {
	case <-a.image.Live():
	case <-a.following.done:
		return a.following.ended("the image")
	case <-ctx.Done():
		return ctx.Err()
	}
	a.routing.start(a.bus.Run)
	a.delivering.start(a.engine.Run)
	halting := a.image.Changed(projections.Viewer{Operator: true})
	if a.image.Lost() != nil {
		return nil
	}
	select {
	case <-a.bus.Ready():
		return nil
	case <-halting: // or a partner was created on another node; commands wait for their owners anyway
		return nil
	case <-a.following.done:
		return a.following.ended("the image")
	case <-a.routing.done:
		return a.routing.ended("the bus")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// welcome loads the example where it is due, and says how to use it.
func (a *app) welcome(ctx context.Context, stdout, stderr io.Writer) error {
	if !a.cfg.demo {
		return nil
	}
	d, load, err := demoState(a.cfg.data, a.image.Empty())
	if err != nil {
		return err
	}
	if load {
		if d, err = a.loadDemo(ctx, d, stderr); err != nil {
			return fmt.Errorf("the example could not be loaded (remove %s to begin again): %w", a.cfg.data, err)
		}
	}
	if !d.Complete {
		fmt.Fprintf(stdout, "The log under %s has a history of its own, so the example is not loaded.\n", a.cfg.data)
		return nil
	}
	d.guide(stdout, a.url)
	return nil
}

func (a *app) loadDemo(ctx context.Context, d demo, stderr io.Writer) (demo, error) {
	if d.Begun.IsZero() {
		d.Begun = time.Now().UTC()
	}
	if err := d.write(a.cfg.data); err != nil {
		return d, err
	}
	steps, err := parseScenario(nokiaXiaomi)
	if err != nil {
		return d, err
	}
	progress := io.Discard
	if terminal(stderr) {
		progress = stderr
	}
	token := rand.Text() // the operator's for this load; nobody else knows it
	door, err := a.newAPI(a.key, sha256.Sum256([]byte(token)))
	if err != nil {
		return d, err
	}
	a.loading.Store(true)
	defer a.loading.Store(false)
	l := &loader{handler: door.Handler(), operator: token, today: d.Begun, saved: make(map[string]string)}
	if err := l.load(ctx, steps, progress); err != nil {
		return d, err
	}
	d.Complete, d.Tokens = true, l.saved
	return d, d.write(a.cfg.data)
}

// wait returns when ctx ends, or with the error of the part that ended before.
func (a *app) wait(ctx context.Context, servers servers) error {
	select {
	case <-ctx.Done():
		a.logger.Info("stopping")
		return nil
	case err := <-servers.failed:
		return err
	case <-a.following.done:
		return a.following.ended("the image")
	case <-a.routing.done:
		return a.routing.ended("the bus")
	}
}

// close ends what is open in the opposite order: the deliveries keep how far they came while this node still
// owns their partitions, the bus appends what is decided while the image
// still follows, the image writes its snapshot, the log closes last.
func (a *app) close() error {
	err := errors.Join(a.delivering.stop(), a.routing.stop(), a.following.stop())
	if a.log.Log != nil {
		err = errors.Join(err, a.log.Close())
	}
	for _, l := range []net.Listener{a.listener, a.admin} {
		if l != nil {
			_ = l.Close() // a server has closed it already, unless the start failed
		}
	}
	return err
}

// worker is something that runs in a goroutine of its own until it is told to stop.
type worker struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error // valid once done is closed
}

func (w *worker) start(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel, w.done = cancel, make(chan struct{})
	go func() {
		defer close(w.done)
		w.err = run(ctx)
	}()
}

// ended says that the worker ended by itself, and why.
func (w *worker) ended(name string) error {
	return fmt.Errorf("%s has stopped: %w", name, w.err)
}

func (w *worker) stop() error {
	if w.cancel == nil {
		return nil
	}
	w.cancel()
	<-w.done
	return w.err
}

// servers are the running HTTP servers.
type servers struct {
	list   []*http.Server
	failed chan error
}

func (a *app) start(front *front) servers {
	s := servers{failed: make(chan error, 2)}
	s.serve(a.listener, front)
	if a.admin != nil {
		s.serve(a.admin, a.api.Admin())
	}
	return s
}

func (s *servers) serve(l net.Listener, h http.Handler) {
	server := api.Listener(h)
	s.list = append(s.list, server)
	go func() {
		if err := server.Serve(api.Coarse(l)); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- err
		}
	}()
}

// stop lets the requests under way finish, and cuts off those that take too long.
func (s *servers) stop(logger *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	for _, server := range s.list {
		if err := server.Shutdown(ctx); err != nil {
			logger.Warn("requests were cut off", "error", errors.Join(err, server.Close()))
		}
	}
}

// front answers before the API is ready and after it is not: alive, but not ready.
type front struct{ handler atomic.Pointer[http.Handler] }

func (f *front) open(h http.Handler) { f.handler.Store(&h) }
func (f *front) close()              { f.handler.Store(nil) }

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := f.handler.Load(); h != nil {
		(*h).ServeHTTP(w, r)
		return
	}
	if r.URL.Path == "/livez" {
		fmt.Fprintln(w, "ok")
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusServiceUnavailable)
	fmt.Fprintln(w, `{"type":"about:blank","title":"Service Unavailable","status":503,"code":"unavailable","detail":"The node is starting or stopping."}`)
}
