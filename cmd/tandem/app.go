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
	httplistener "tandem/http/listener"
	"tandem/projections"
	"tandem/projections/feed"
	"tandem/renames"
	"tandem/webhooks"
)

// drainTime limits how long requests in progress may take after SIGTERM.
const drainTime = 20 * time.Second

// app is a running node: its parts, in the order in which they are opened.
type app struct {
	cfg             config
	logger          *slog.Logger
	listener        net.Listener
	adminListener   net.Listener // nil: listener serves the metrics too
	url             string
	installationKey []byte

	log            eventlog.Log
	readModel      *projections.ReadModel
	bus            *bus.Bus
	engine         *webhooks.Engine
	renames        *renames.Recorder
	server         *httpapi.Server
	loadingExample atomic.Bool // requests may set the time at which they are recorded

	modelWorker, busWorker, engineWorker, renamesWorker worker
}

// serve runs a node until ctx ends. After the operator accepts a loss, it restarts the node on the same
// addresses, because the read model was folded from commits that are no longer in the log.
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
		logger.Info("restarting", "reason", err)
		cfg.listen = application.listener.Addr().String() // the port may have been 0
		if application.adminListener != nil {
			cfg.adminListen = application.adminListener.Addr().String()
		}
	}
}

// run opens the parts of the node, runs it until ctx ends, and closes them.
func (a *app) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	logger := a.logger
	defer func() { err = errors.Join(err, a.close()) }()
	if err := a.open(ctx, stdout); err != nil {
		return err
	}
	front := new(startupHandler)
	servers := a.start(front)
	handler := a.server.Handler()
	err = a.startWorkers(ctx)
	if err == nil && ctx.Err() == nil && a.cfg.demo {
		handler, err = a.prepareDemo(ctx, stdout, stderr)
	}
	if err == nil && ctx.Err() == nil {
		a.renamesWorker.start(a.renames.Run) // not earlier: the example is recorded in the past
		front.enable(handler)
		logger.Info("ready", "url", a.url, "data", a.cfg.data)
		err = a.wait(ctx, servers)
		front.disable()
		a.server.Drain()
	}
	servers.stop(logger)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil // stopped during start-up
	}
	return err
}

// open opens the parts of the node. It listens first, so that a port in use has no other effects.
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
		fmt.Fprintf(stdout, "The operator's token, which is shown only once: %s\n", fresh)
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

// wire creates the parts of the node and connects them. It starts none of them.
func (a *app) wire(key []byte, operator [32]byte) (err error) {
	a.readModel, err = projections.New(projections.Config{
		Log: a.log, Dir: a.cfg.data, BaseURL: a.url, Now: a.cfg.clock(), Logger: a.logger,
		Applied: func(entries []eventlog.Entry) {
			a.bus.Applied(entries)
			a.engine.Applied(entries)
			a.renames.Applied(entries)
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
	a.renames = renames.New(renames.Config{ReadModel: a.readModel, Bus: a.bus, Now: a.cfg.clock(), Logger: a.logger})
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

// ready returns an error while the node cannot serve every request.
func (a *app) ready() error { return errors.Join(a.readModel.Health(), a.bus.Health(), a.fresh()) }

// fresh returns an error while the read model may be too old to serve.
func (a *app) fresh() error { return checkFresh(a.log) }

// startWorkers starts the read model and, once it has applied all durable commits, the bus and the
// webhook engine. The bus must wait because the replay modifies entities in place. startWorkers returns when
// every partition has an owner, or one has lost commits and so can have none, or ctx ends.
func (a *app) startWorkers(ctx context.Context) error {
	a.modelWorker.start(a.readModel.Run)
	select {
	case <-a.readModel.Live():
	case <-a.modelWorker.done:
		return a.modelWorker.stopError("the read model")
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
	case <-halting: // also when another node creates a partner, which does no harm: commands wait for their owners
		return nil
	case <-a.modelWorker.done:
		return a.modelWorker.stopError("the read model")
	case <-a.busWorker.done:
		return a.busWorker.stopError("the bus")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// prepareDemo loads the example if it is not loaded yet, and prints how to use it. It returns the handler of the API
// and of the example's webhook receiver.
func (a *app) prepareDemo(ctx context.Context, stdout, stderr io.Writer) (http.Handler, error) {
	receiver := &demoReceiver{next: a.server.Handler(), logger: a.logger, now: a.cfg.clock()}
	info, load, err := readDemoInfo(a.cfg.data, a.readModel.Empty())
	if err != nil {
		return nil, err
	}
	if load {
		if info, err = a.loadDemo(ctx, info, stderr); err != nil {
			return nil, fmt.Errorf("the example could not be loaded (remove %s to start over): %w", a.cfg.data, err)
		}
	}
	if !info.Complete {
		fmt.Fprintf(stdout, "The log under %s is not empty, so the example is not loaded.\n", a.cfg.data)
		return receiver, nil
	}
	receiver.secret = info.Tokens["webhook-secret"]
	info.guide(stdout, a.url)
	return receiver, nil
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
	token := rand.Text() // a temporary operator's token
	door, err := a.newAPI(a.installationKey, sha256.Sum256([]byte(token)))
	if err != nil {
		return info, err
	}
	a.loadingExample.Store(true)
	defer a.loadingExample.Store(false)
	exampleLoader := &loader{handler: door.Handler(), operator: token, today: info.Begun, saved: map[string]string{"server": a.url}}
	if err := exampleLoader.load(ctx, steps, progress); err != nil {
		return info, err
	}
	info.Complete, info.Tokens = true, exampleLoader.saved
	return info, info.write(a.cfg.data)
}

// wait returns nil when ctx ends, or the error of a part that ended earlier.
func (a *app) wait(ctx context.Context, servers servers) error {
	select {
	case <-ctx.Done():
		a.logger.Info("stopping")
		return nil
	case err := <-servers.failed:
		return err
	case <-a.modelWorker.done:
		return a.modelWorker.stopError("the read model")
	case <-a.busWorker.done:
		return a.busWorker.stopError("the bus")
	}
}

// close closes the open parts in reverse order. The webhook engine stores its lane states while this node
// still owns their partitions, the bus appends the decided commands while the read model still follows,
// the read model writes its snapshot, and the log is closed last.
func (a *app) close() error {
	err := errors.Join(a.renamesWorker.stop(), a.engineWorker.stop(), a.busWorker.stop(), a.modelWorker.stop())
	if a.log != nil {
		err = errors.Join(err, a.log.Close())
	}
	for _, listener := range []net.Listener{a.listener, a.adminListener} {
		if listener != nil {
			_ = listener.Close() // already closed by its server, unless start-up failed
		}
	}
	return err
}

// worker runs a function in its own goroutine until stop is called.
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

// stopError returns the error for a worker that ended before stop was called.
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

// servers is the set of running HTTP servers.
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
	server := httplistener.NewServer(handler)
	s.list = append(s.list, server)
	go func() {
		if err := server.Serve(httplistener.Coarse(listener)); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- err
		}
	}()
}

// stop waits for the requests in progress, and closes the connections of those that exceed drainTime.
func (s *servers) stop(logger *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	for _, server := range s.list {
		if err := server.Shutdown(ctx); err != nil {
			logger.Warn("requests were interrupted by the shutdown", "error", errors.Join(err, server.Close()))
		}
	}
}

// startupHandler serves the API between enable and disable. At other times it answers that the node is alive but not ready.
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
