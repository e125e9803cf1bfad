// Command tandem tracks joint projects between companies.
//
// It wires the packages together: it reads the configuration, opens the event log, starts the read
// model, the bus and the webhook engine, and serves HTTP. Shutdown is start-up in reverse. The other commands are
// clients of a running server, and the copy of a log.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	_ "time/tzdata" // time zones of partners, for machines without a time zone database

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program immediately
	reserved := ballast()
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	runtime.KeepAlive(reserved)
	os.Exit(status)
}

// ballast returns memory that counts as heap but is never written, so it takes no physical memory. The garbage
// collector runs when the heap has doubled; with a small read model that would be dozens of times a second.
func ballast() []byte { return make([]byte, 64<<20) }

// Exit statuses of the program.
const (
	exitOK    = 0
	exitError = 1 // the operation failed
	exitUsage = 2 // the command line or the configuration is invalid
)

// run runs the program with the given arguments and returns its exit status.
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

// usageError is an error in the command line or the configuration.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func rootCommand(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "tandem",
		Short: "Track joint projects between companies",
		Long: "Tandem tracks joint projects between companies: both partners see the same history.\n\n" +
			"Settings are flags or environment variables; the help of each command names both. Flags take precedence over\n" +
			"environment variables, and environment variables over defaults.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(helpCommand())
	root.AddCommand(
		serveCommand("serve", "Serve the API on a log", stdout, stderr, false),
		serveCommand("demo", "Serve with the Nokia–Xiaomi example, which is loaded into an empty log", stdout, stderr, true),
		logCommand(stdout),
		deadLetterCommand(stdout),
		webhooksCommand(stdout),
		milestonesCommand(stdout),
		&cobra.Command{
			Use: "version", Short: "Print the version, commit and Go version of this build", Args: noArgs,
			Run: func(*cobra.Command, []string) { fmt.Fprint(stdout, versionText()) },
		},
	)
	return root
}

// noArgs refuses all arguments. For a command with subcommands, an argument is an unknown command.
func noArgs(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case cmd.HasAvailableSubCommands():
		return unknownCommand(cmd, args[0])
	}
	return &usageError{fmt.Errorf("%s takes no arguments, but got %q", cmd.CommandPath(), args[0])}
}

// helpCommand replaces cobra's, which succeeds for unknown commands.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Show the help of a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			target, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(target, rest[0])
			}
			return target.Help()
		},
	}
}

func serveCommand(name, short string, stdout, stderr io.Writer, demo bool) *cobra.Command {
	cmd := &cobra.Command{
		Use: name, Short: short, Args: noArgs,
		Long: short + ".\n\n" +
			"Environment variables without a flag, because they are secrets:\n" +
			"  TANDEM_KEY             installation key, 32 bytes in hexadecimal or base64 (default: the one in --data, made at the first start)\n" +
			"  TANDEM_OPERATOR_TOKEN  the operator's token, at least 16 bytes (default: the first start makes one and prints it once)",
	}
	cfg := bindConfig(cmd.Flags())
	bound := bindSettings(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := cfg.load(bound, os.LookupEnv); err != nil {
			return &usageError{err}
		}
		if cfg.demo = demo; demo { // the example has a webhook to this program
			cfg.privatePrefixes = append(cfg.privatePrefixes, netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
		}
		return serve(cmd.Context(), *cfg, stdout, stderr)
	}
	return cmd
}
