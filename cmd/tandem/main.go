// Command tandem tracks joint projects between companies.
//
// It is the only place where the rooms are joined: it reads the configuration, opens the log,
// folds the image, runs the bus and serves HTTP, and ends them in the opposite order.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	_ "time/tzdata" // partners' zones work on machines without a zone database

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	reserved := ballast()
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	runtime.KeepAlive(reserved)
	os.Exit(status)
}

// ballast counts as heap and is never touched, so it takes no memory. It keeps the collector, which
// runs when the heap has doubled, from running dozens of times a second while the image is small.
func ballast() []byte { return make([]byte, 64<<20) }

// The exit statuses.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// run is main with everything given, so that tests can call it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := rootCommand(stdout, stderr)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(stderr, "tandem:", err)
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	return exitError
}

// usageError is a mistake of whoever started the program.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func rootCommand(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:           "tandem",
		Short:         "The status of joint projects that both partners trust",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.AddCommand(
		serveCommand("serve", "Serve the API on the log under --data", stdout, stderr, false),
		serveCommand("demo", "Serve with the Nokia–Xiaomi example, loaded when the log is empty", stdout, stderr, true),
		logCommand(stdout),
		deadLetterCommand(stdout),
		webhooksCommand(stdout),
		&cobra.Command{
			Use: "version", Short: "Print the version", Args: noArgs,
			Run: func(*cobra.Command, []string) { fmt.Fprintln(stdout, "tandem", version()) },
		},
	)
	return root
}

func noArgs(cmd *cobra.Command, args []string) error {
	if err := cobra.NoArgs(cmd, args); err != nil {
		return &usageError{err}
	}
	return nil
}

func serveCommand(name, short string, stdout, stderr io.Writer, demo bool) *cobra.Command {
	cmd := &cobra.Command{Use: name, Short: short, Args: noArgs}
	cfg := bindConfig(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := cfg.load(cmd.Flags(), os.LookupEnv); err != nil {
			return &usageError{err}
		}
		cfg.demo = demo
		return serve(cmd.Context(), *cfg, stdout, stderr)
	}
	return cmd
}
