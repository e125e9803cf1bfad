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
	"tandem/eventlog/logcopy"
	httpapi "tandem/http"
	"tandem/projections"
	"tandem/projections/feed"
	"tandem/webhooks"
)

// drainTime is how long requests under way may take after SIGTERM.
const drainTime = 20 * time.Second

// app is the joined rooms, in the order in which they are opened.
type app struct {
	cfg             config
	logger          *slog.Logger
	listener        net.Listener
	adminListener   net.Listener // nil: metrics are served with the rest
	url             string
	installationKey []byte // of the installation

	log            eventlog.Log
	readModel      *projections.ReadModel
	bus            *bus.Bus
	engine         *webhooks.Engine
	server         *httpapi.Server
	loadingExample atomic.Bool // the example is being loaded: commands may carry their own time

	modelWorker, busWorker, engineWorker worker
}

// serve runs everything until ctx ends. When a loss was accepted it begins again, on the same
// addresses: what was folded from the log is no longer what the log says.
func serve(ctx context.Context, cfg config, stdout, stderr io.Writer) error {
	logger := newLogger(stderr)
	for {
		application := &app{cfg: cfg, logger: logger}
		err := application.run(ctx, stdout, stderr)
		if !errors.Is(err, projections.ErrEpoch) {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		logger.Info("beginning again", "reason", err)
		cfg.listen = application.listener.Addr().String() // the port was perhaps any
		if application.adminListener != nil {
			cfg.adminListen = application.adminListener.Addr().String()
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
	front := new(startupHandler)
	servers := a.start(front)
	err = a.startWorkers(ctx)
	if err == nil && ctx.Err() == nil {
		err = a.prepareDemo(ctx, stdout, stderr)
	}
	if err == nil && ctx.Err() == nil {
		front.enable(a.server.Handler())
		logger.Info("ready", "url", a.url, "data", a.cfg.data)
		err = a.wait(ctx, servers)
		front.disable()
		a.server.Drain()
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
	if err := logcopy.CheckFinished(ctx, log); err != nil {
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
	if err := claimInstallation(ctx, log, key); err != nil {
		return err
	}
	hash, fresh, err := operatorToken(a.cfg, key)
	if err != nil {
		return err
	}
	if fresh != "" {
		fmt.Fprintf(stdout, "The operator's token, shown this once: %s\n", fresh)
	}
	return a.wire(key, hash)
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
		a.adminListener, err = net.Listen("tcp", a.cfg.adminListen)
	}
	return err
}

// wire makes the rooms know each other. Nothing runs yet.
func (a *app) wire(key []byte, operator [32]byte) (err error) {
	a.readModel, err = projections.New(projections.Config{
		Log: a.log, Dir: a.cfg.data, BaseURL: a.url, Now: a.cfg.clock(), Logger: a.logger,
		Applied: func(entries []eventlog.Entry) {
			a.bus.Applied(entries)
			a.engine.Applied(entries)
		},
	})
	if err != nil {
		return err
	}
	a.bus, err = bus.New(bus.Config{
		Log: a.log, ReadModel: a.readModel, Logger: a.logger, AllowBackdating: a.loadingExample.Load, Now: a.cfg.clock(), SharedLog: a.log.Capabilities().Shared,
	})
	if err != nil {
		return err
	}
	if a.engine, err = a.newEngine(key); err != nil {
		return err
	}
	a.server, err = a.newAPI(key, operator)
	a.installationKey = key
	return err
}

func (a *app) newAPI(key []byte, operator [32]byte) (*httpapi.Server, error) {
	return httpapi.New(httpapi.Config{
		Commands: a.bus, ReadModel: a.readModel, InstallationKey: key, OperatorTokenHash: operator,
		BaseURL: a.url, Now: a.cfg.clock(), Logger: a.logger, Ready: a.ready, Operations: operations{a.log, a.bus},
		Attempts: webhookHistory{a.log, feed.NewReader(a.readModel)}, LatestMessage: a.engine.LatestMessage, Lanes: a.engine.Lanes,
		DurableQueue: a.log.Capabilities().DurableQueue, Fresh: a.fresh, AcceptNew: a.log.CheckCapacity, SeparateAdmin: a.adminListener != nil,
		PrivateNetworks: a.cfg.privatePrefixes,
	})
}

// ready says whether the node can do all it is there for.
func (a *app) ready() error { return errors.Join(a.readModel.Health(), a.bus.Health(), a.fresh()) }

// fresh returns an error while the node's state may be too old to serve.
func (a *app) fresh() error { return checkFresh(a.log) }

// startWorkers starts the image, and the bus once all that was durable is applied: owners decide on
// entities that a replay changes in place. It returns when every partition has its owner, or one has
// lost commits and can have none, or ctx ends.
func (a *app) startWorkers(ctx context.Context) error {
	a.modelWorker.start(a.readModel.Run)
	select {
	case <-a.readModel.Live():
	case <-a.modelWorker.done:
		return a.modelWorker.stopError("the image")
	case <-ctx.Done():
		return ctx.Err()
	}
	a.busWorker.start(a.bus.Run)
	a.engineWorker.start(a.engine.Run)
	halting := a.readModel.Changed(projections.Viewer{Operator: true})
	if a.readModel.OpenLosses() != nil {
		return nil
	}
	select {
	case <-a.bus.Ready():
		return nil
	case <-halting: // or a partner was created on another node; commands wait for their owners anyway
		return nil
	case <-a.modelWorker.done:
		return a.modelWorker.stopError("the image")
	case <-a.busWorker.done:
		return a.busWorker.stopError("the bus")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// prepareDemo loads the example where it is due, and says how to use it.
func (a *app) prepareDemo(ctx context.Context, stdout, stderr io.Writer) error {
	if !a.cfg.demo {
		return nil
	}
	info, load, err := readDemoInfo(a.cfg.data, a.readModel.Empty())
	if err != nil {
		return err
	}
	if load {
		if info, err = a.loadDemo(ctx, info, stderr); err != nil {
			return fmt.Errorf("the example could not be loaded (remove %s to begin again): %w", a.cfg.data, err)
		}
	}
	if !info.Complete {
		fmt.Fprintf(stdout, "The log under %s has a history of its own, so the example is not loaded.\n", a.cfg.data)
		return nil
	}
	info.guide(stdout, a.url)
	return nil
}

func (a *app) loadDemo(ctx context.Context, info demoInfo, stderr io.Writer) (demoInfo, error) {
	if info.Begun.IsZero() {
		info.Begun = time.Now().UTC()
	}
	if err := info.write(a.cfg.data); err != nil {
		return info, err
	}
	steps, err := parseScenario(nokiaXiaomiScenario)
	if err != nil {
		return info, err
	}
	progress := io.Discard
	if isTerminal(stderr) {
		progress = stderr
	}
	token := rand.Text() // the operator's for this load; nobody else knows it
	door, err := a.newAPI(a.installationKey, sha256.Sum256([]byte(token)))
	if err != nil {
		return info, err
	}
	a.loadingExample.Store(true)
	defer a.loadingExample.Store(false)
	exampleLoader := &loader{handler: door.Handler(), operator: token, today: info.Begun, saved: make(map[string]string)}
	if err := exampleLoader.load(ctx, steps, progress); err != nil {
		return info, err
	}
	info.Complete, info.Tokens = true, exampleLoader.saved
	return info, info.write(a.cfg.data)
}

// wait returns when ctx ends, or with the error of the part that ended before.
func (a *app) wait(ctx context.Context, servers servers) error {
	select {
	case <-ctx.Done():
		a.logger.Info("stopping")
		return nil
	case err := <-servers.failed:
		return err
	case <-a.modelWorker.done:
		return a.modelWorker.stopError("the image")
	case <-a.busWorker.done:
		return a.busWorker.stopError("the bus")
	}
}

// close ends what is open in the opposite order: the deliveries keep how far they came while this node still
// owns their partitions, the bus appends what is decided while the image
// still follows, the image writes its snapshot, the log closes last.
func (a *app) close() error {
	err := errors.Join(a.engineWorker.stop(), a.busWorker.stop(), a.modelWorker.stop())
	if a.log != nil {
		err = errors.Join(err, a.log.Close())
	}
	for _, listener := range []net.Listener{a.listener, a.adminListener} {
		if listener != nil {
			_ = listener.Close() // a server has closed it already, unless the start failed
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

// stopError says that the worker ended by itself, and why.
func (w *worker) stopError(name string) error {
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

func (a *app) start(front *startupHandler) servers {
	started := servers{failed: make(chan error, 2)}
	started.serve(a.listener, front)
	if a.adminListener != nil {
		started.serve(a.adminListener, a.server.Admin())
	}
	return started
}

func (s *servers) serve(listener net.Listener, handler http.Handler) {
	server := httpapi.Listener(handler)
	s.list = append(s.list, server)
	go func() {
		if err := server.Serve(httpapi.Coarse(listener)); !errors.Is(err, http.ErrServerClosed) {
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

// startupHandler answers before the API is ready and after it is not: alive, but not ready.
type startupHandler struct{ handler atomic.Pointer[http.Handler] }

func (f *startupHandler) enable(handler http.Handler) { f.handler.Store(&handler) }
func (f *startupHandler) disable()                    { f.handler.Store(nil) }

func (f *startupHandler) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if handler := f.handler.Load(); handler != nil {
		(*handler).ServeHTTP(w, request)
		return
	}
	if request.URL.Path == "/livez" {
		fmt.Fprintln(w, "ok")
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusServiceUnavailable)
	fmt.Fprintln(w, `{"type":"about:blank","title":"Service Unavailable","status":503,"code":"unavailable","detail":"The node is starting or stopping."}`)
}
