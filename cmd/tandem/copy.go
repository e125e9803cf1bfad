package main

import (
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
	"tandem/eventlog/logcopy"
	"tandem/eventlog/redis"
	"tandem/eventlog/sqlite"
)

func copyCommand(stdout io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use: "copy --from LOG --to LOG", Short: "Copy an installation between the embedded log and Redis, either way", Args: noArgs,
		Long: "Copy an installation between the embedded log and Redis, either way.\n\n" +
			"LOG is sqlite:DIR, or a Redis URL as serve takes it with --redis. Stop every node first.\n" +
			"The target must be empty. It receives the same commits, byte for byte, and everything that belongs to them; at the\n" +
			"end it is read again and verified. Run the same command again to continue a copy that was interrupted; until it is\n" +
			"finished, no node starts on the target. The source is not changed.\n\n" +
			"TANDEM_KEY, if set, must be the installation key of the source.",
		Example: "  tandem log copy --from sqlite:./data --to redis://127.0.0.1:6379",
	}
	options := bindCopy(cmd.Flags())
	bound := bindSettings(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		stderr := cmd.ErrOrStderr()
		copier, err := options.load(bound, os.LookupEnv)
		if err != nil {
			return &usageError{err}
		}
		copier.stdout, copier.stderr, copier.logger = stdout, stderr, newLogger(stderr)
		return copier.run(cmd.Context())
	}
	return cmd
}

// copyOptions hold the flags and environment variables of the command.
type copyOptions struct {
	from, to string
	config   config // durability and replicas of Redis
}

func bindCopy(flags *pflag.FlagSet) *copyOptions {
	options := new(copyOptions)
	flags.StringVar(&options.from, "from", "", "log to copy: sqlite:DIR or a Redis URL; the environment variable hides a password")
	flags.StringVar(&options.to, "to", "", "empty log to copy into: sqlite:DIR or a Redis URL")
	flags.StringVar(&options.config.durability, "redis-durability", string(redis.Disk), "as for serve: disk or replicated")
	flags.IntVar(&options.config.replicas, "redis-replicas", 1, "with replicated: number of replicas that must have a commit")
	return options
}

// load reads the environment and validates the options. The error lists every invalid value.
func (o *copyOptions) load(bound *settings, env lookupEnv) (*logCopy, error) {
	errs := bound.load(env)
	copier := &logCopy{started: time.Now()}
	var wrongFrom, wrongTo, wrongKey error
	copier.from, wrongFrom = parseEnd("from", bound.source("from"), o.from, o.config)
	copier.to, wrongTo = parseEnd("to", bound.source("to"), o.to, o.config)
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

// logEnd is the configuration of the source or the target.
type logEnd struct {
	dir   string       // of an embedded log; empty: Redis
	redis redis.Config // without a dir
}

// parseEnd parses the value of a flag. The source of the value is for errors.
func parseEnd(flag, source, text string, cfg config) (*logEnd, error) {
	const want = "want sqlite:DIR or a Redis URL"
	end := new(logEnd)
	dir, embedded := strings.CutPrefix(text, "sqlite:")
	switch {
	case text == "":
		return end, fmt.Errorf("%s is missing: %s", source, want)
	case embedded && dir == "":
		return end, fmt.Errorf("%s %s: the directory is missing", source, text)
	case embedded:
		var err error
		end.dir, err = filepath.Abs(dir)
		return end, err
	}
	cfg.redis = text
	end.redis = redisConfig(cfg, nil)
	if err := end.redis.Validate(); err != nil {
		return end, fmt.Errorf("%s: %s: %w", source, want, err)
	}
	host, _ := os.Hostname() // informational
	end.redis.Name = fmt.Sprintf("log-copy:%s:%d:%s", host, os.Getpid(), flag)
	return end, nil
}

func (e *logEnd) path(name string) string { return filepath.Join(e.dir, name) }

// has reports whether the data directory has a file of that name.
func (e *logEnd) has(name string) bool {
	if e.dir == "" {
		return false
	}
	_, err := os.Stat(e.path(name))
	return err == nil
}

// copyEnd returns the end as logcopy takes it. An embedded log that must exist is not created.
func (e *logEnd) copyEnd(logger *slog.Logger, mustExist bool) logcopy.End {
	if e.dir == "" {
		e.redis.Logger = logger
		return logcopy.End{Node: e.redis.Name, Open: func(ctx context.Context) (eventlog.Log, error) { return redis.Open(ctx, e.redis) }}
	}
	name := "sqlite:" + e.dir
	return logcopy.End{Name: name, Open: func(ctx context.Context) (eventlog.Log, error) {
		if mustExist && !e.has(sqlite.FileName) {
			return nil, fmt.Errorf("%s has no log: %s does not exist", name, e.path(sqlite.FileName))
		}
		return sqlite.Open(ctx, sqlite.Config{Dir: e.dir, Logger: logger})
	}}
}

// logCopy is one run of the command.
type logCopy struct {
	from, to       *logEnd
	key            []byte // of the installation; nil: not known
	started        time.Time
	stdout, stderr io.Writer
	logger         *slog.Logger
}

// run copies the log with the installation's secrets and prints the next steps.
func (l *logCopy) run(ctx context.Context) error {
	meters := &copyMeters{out: l.stderr}
	result, err := logcopy.Run(ctx, l.config(meters))
	meters.end()
	if errors.Is(err, logcopy.ErrUnfinished) {
		return fmt.Errorf("%w\nRun the same command again to finish the copy", err)
	}
	if err != nil {
		return err
	}
	l.printSummary(&result)
	l.printNextSteps(&result)
	return nil
}

func (l *logCopy) config(meters *copyMeters) logcopy.Config {
	return logcopy.Config{
		Source: l.from.copyEnd(l.logger, true), Target: l.to.copyEnd(l.logger, false),
		CheckSource: l.checkKey, CheckTarget: l.claimTarget, BeforeFinish: l.copySecrets, Progress: meters.report,
	}
}

// checkKey finds the installation key, if it is available, and checks that it is the source's. The target's directory
// must not have another one.
func (l *logCopy) checkKey(ctx context.Context, source eventlog.Log) (err error) {
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
	if err := claimInstallation(ctx, source, l.key); err != nil {
		return fmt.Errorf("the installation key is not that of the source: %w", err)
	}
	return nil
}

func (l *logCopy) claimTarget(ctx context.Context, target eventlog.Log) error {
	if l.key == nil {
		return nil
	}
	if err := claimInstallation(ctx, target, l.key); err != nil {
		return fmt.Errorf("the target: %w. Nothing was changed", err)
	}
	return nil
}

// copySecrets copies the files that belong to an embedded log and are outside it. It overwrites none.
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
