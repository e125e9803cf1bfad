package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tandem/eventlog"
	"tandem/eventlog/redis"
)

func copyCommand(stdout io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use: "copy --from LOG --to LOG", Short: "Move an installation between the embedded log and Redis, either way", Args: noArgs,
		Long: "Move an installation between the embedded log and Redis, either way.\n\n" +
			"LOG is sqlite:DIR, or a Redis URL as serve takes it with --redis. Stop every node first.\n" +
			"The target must be empty. It gets the same commits, byte for byte, with all that belongs to them, and is read\n" +
			"again and checked at the end. A copy that was interrupted is finished by the same command; until then no\n" +
			"node starts on the target. The source stays as it is.",
		Example: "  tandem log copy --from sqlite:./data --to redis://127.0.0.1:6379",
	}
	options := bindCopy(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		stderr := cmd.ErrOrStderr()
		copier, err := options.load(cmd.Flags(), os.LookupEnv)
		if err != nil {
			return &usageError{err}
		}
		copier.stdout, copier.stderr, copier.logger = stdout, stderr, newLogger(stderr)
		return copier.run(cmd.Context())
	}
	return cmd
}

// copyOptions are what flags and environment say, as for config.
type copyOptions struct {
	from, to string
	config   config // how Redis is used
}

func bindCopy(flags *pflag.FlagSet) *copyOptions {
	options := new(copyOptions)
	flags.StringVar(&options.from, "from", "", "log to copy: sqlite:DIR or a Redis URL (or TANDEM_FROM, which hides a password)")
	flags.StringVar(&options.to, "to", "", "empty log to copy into: sqlite:DIR or a Redis URL (or TANDEM_TO)")
	flags.StringVar(&options.config.durability, "redis-durability", string(redis.Disk), "as for serve: disk or replicated")
	flags.IntVar(&options.config.replicas, "redis-replicas", 1, "with replicated: how many replicas must have a commit")
	return options
}

// load adds the environment and checks everything; the error names every mistake.
func (o *copyOptions) load(flags *pflag.FlagSet, env func(string) (string, bool)) (*logCopy, error) {
	var errs []error
	for _, flag := range []string{"from", "to", "redis-durability", "redis-replicas"} {
		name := "TANDEM_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
		if value, ok := env(name); ok && !flags.Changed(flag) {
			if err := flags.Set(flag, value); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
			}
		}
	}
	copier := &logCopy{begun: time.Now()}
	var wrongFrom, wrongTo, wrongKey error
	copier.from, wrongFrom = parseEnd("from", o.from, o.config)
	copier.to, wrongTo = parseEnd("to", o.to, o.config)
	if text, ok := env("TANDEM_KEY"); ok {
		if copier.key, wrongKey = parseKey(text); wrongKey != nil {
			wrongKey = fmt.Errorf("TANDEM_KEY: %w", wrongKey)
		}
	}
	if wrongFrom == nil && copier.from.dir != "" && copier.from.dir == copier.to.dir {
		wrongTo = errors.New("--from and --to are the same directory")
	}
	return copier, errors.Join(append(errs, wrongFrom, wrongTo, wrongKey)...)
}

func parseEnd(flag, text string, cfg config) (*logEnd, error) {
	const want = "want sqlite:DIR or a Redis URL"
	end := &logEnd{flag: flag}
	dir, embedded := strings.CutPrefix(text, "sqlite:")
	switch {
	case text == "":
		return end, fmt.Errorf("--%s is missing: %s", flag, want)
	case embedded && dir == "":
		return end, fmt.Errorf("--%s %s: the directory is missing", flag, text)
	case embedded:
		var err error
		end.dir, err = filepath.Abs(dir)
		end.name = "sqlite:" + end.dir
		return end, err
	}
	cfg.redis = text
	end.redis = redisConfig(cfg, nil)
	if err := end.redis.Validate(); err != nil {
		return end, fmt.Errorf("--%s: %s: %w", flag, want, err)
	}
	host, _ := os.Hostname() // only for people
	end.redis.Name = fmt.Sprintf("log-copy:%s:%d:%s", host, os.Getpid(), flag)
	return end, nil
}

// logCopy moves what one log holds into another. It works through the log's contract alone. No
// process but this one uses the logs meanwhile.
type logCopy struct {
	from, to       *logEnd
	key            []byte    // of the installation; nil: not known
	begun          time.Time // records of the day before are copied
	stdout, stderr io.Writer
	logger         *slog.Logger

	heads   eventlog.Positions // of the source
	epochs  [eventlog.Partitions]uint64
	already uint64 // commits that an interrupted copy left in the target
	marked  bool   // the target says that it is half a copy
	found   tally
}

// run copies everything and says what to do next. An error after which the same command goes on says so.
func (l *logCopy) run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, l.to.close(), l.from.close()) }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, step := range []func(context.Context, context.CancelCauseFunc) error{
		l.openSource, l.openTarget, l.transfer, l.verify, l.finish,
	} {
		if err := step(ctx, cancel); err != nil {
			return l.ended(ctx, err)
		}
	}
	l.summary()
	l.guide()
	return nil
}

// ended returns why the copy ended: an interruption, or a node that was started, comes before what
// followed from it.
func (l *logCopy) ended(ctx context.Context, err error) error {
	if !l.marked {
		return cmp.Or(context.Cause(ctx), err)
	}
	others := errors.Join(l.from.alone(context.WithoutCancel(ctx)), l.to.alone(context.WithoutCancel(ctx)))
	return fmt.Errorf("%w\nThe copy is not finished: the same command goes on with it", cmp.Or(others, context.Cause(ctx), err))
}

// openSource takes the source and refuses one that cannot be copied as it is.
func (l *logCopy) openSource(ctx context.Context, cancel context.CancelCauseFunc) error {
	if err := l.from.openKnown(ctx, l.logger); err != nil {
		return err
	}
	if err := l.from.copyable(ctx); err != nil {
		return err
	}
	if err := l.from.take(ctx); err != nil {
		return err
	}
	l.from.guard(ctx, cancel)
	if err := l.readSource(ctx); err != nil {
		return err
	}
	return l.checkKey(ctx)
}

// readSource remembers what the source holds, once nobody can change it.
func (l *logCopy) readSource(ctx context.Context) (err error) {
	if err = l.from.copyable(ctx); err != nil {
		return err
	}
	if l.heads, err = l.from.log.Heads(ctx); err != nil {
		return err
	}
	losses, err := l.from.log.Losses(ctx)
	l.epochs = losses.Epochs
	if err == nil && l.heads == (eventlog.Positions{}) {
		err = fmt.Errorf("%s is empty: there is nothing to copy", l.from.name)
	}
	return err
}

// checkKey finds the installation key, if it is here, and makes sure that it is the source's. In the
// target's directory there must not be another one.
func (l *logCopy) checkKey(ctx context.Context) (err error) {
	if l.from.dir != "" {
		if l.key, err = installationKey(config{data: l.from.dir, key: l.key}, false); err != nil {
			return err
		}
	}
	if l.to.has(keyFile) {
		key, err := installationKey(config{data: l.to.dir}, false)
		if err != nil {
			return err
		}
		if l.key == nil {
			l.key = key
		} else if string(l.key) != string(key) {
			return fmt.Errorf("%s is another installation's key: name another directory. Nothing was changed", l.to.path(keyFile))
		}
	}
	if l.key == nil {
		return nil
	}
	if err := l.from.log.claim(ctx, l.key); err != nil {
		return fmt.Errorf("the key here is not that of %s: %w", l.from.name, err)
	}
	return nil
}

// openTarget takes the target, which is empty or half a copy of the source, and marks it as half a copy.
func (l *logCopy) openTarget(ctx context.Context, cancel context.CancelCauseFunc) error {
	if err := l.to.open(ctx, l.logger); err != nil {
		return err
	}
	if err := l.to.awaitAlone(ctx); err != nil {
		return err
	}
	found, err := readMarker(ctx, l.to.log)
	if err != nil {
		return err
	}
	if err := l.checkTarget(ctx, found); err != nil {
		return err
	}
	if found == nil {
		if err := l.mark(ctx); err != nil {
			return err
		}
	}
	l.marked = true
	if err := l.keepEpochs(ctx); err != nil {
		return err
	}
	l.to.guard(ctx, cancel)
	return nil
}

// checkTarget takes the target, if it is one that this copy may write to.
func (l *logCopy) checkTarget(ctx context.Context, found *marker) error {
	check := l.checkEmpty
	if found != nil {
		check = func(ctx context.Context) error { return l.checkMarker(ctx, found) }
	}
	for _, step := range []func(context.Context) error{check, l.to.take, l.checkPrefix} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if l.key == nil {
		return nil
	}
	if err := l.to.log.claim(ctx, l.key); err != nil {
		return fmt.Errorf("%s: %w. Nothing was changed", l.to.name, err)
	}
	return nil
}

// finish gives the target its key and takes its mark away, after a last look at the source.
func (l *logCopy) finish(ctx context.Context, _ context.CancelCauseFunc) error {
	if err := l.from.alone(ctx); err != nil {
		return err
	}
	heads, err := l.from.log.Heads(ctx)
	if err != nil {
		return err
	}
	if heads != l.heads {
		return fmt.Errorf("%s went on while it was copied: stop its nodes", l.from.name)
	}
	if err := l.copySecrets(); err != nil {
		return err
	}
	return l.unmark(ctx)
}

// copySecrets brings along what belongs to an embedded log and is not in it. What is there stays.
func (l *logCopy) copySecrets() error {
	for _, name := range []string{keyFile, operatorFile} {
		if l.from.dir == "" || l.to.dir == "" || !l.from.has(name) || l.to.has(name) {
			continue
		}
		text, err := os.ReadFile(l.from.path(name))
		if err != nil {
			return err
		}
		if err := writeSecret(l.to.path(name), string(text)); err != nil {
			return err
		}
	}
	return nil
}
