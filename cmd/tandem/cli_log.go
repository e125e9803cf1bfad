package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"tandem/eventlog"
	api "tandem/http"
)

const theLog = "state of its log to tell; it may be older than this program"

func logCommand(stdout io.Writer) *cobra.Command {
	c := group("log", "See how a server's log is getting on, and decide what only a person can")
	c.AddCommand(statusCommand(stdout), acceptLossCommand(stdout), copyCommand(stdout))
	return c
}

func statusCommand(stdout io.Writer) *cobra.Command {
	var all, asJSON bool
	c := remoteCommand(&cobra.Command{
		Use: "status", Short: "Partitions, heads, owners, lag, inbox, memory", Args: cobra.NoArgs,
	}, func(ctx context.Context, r *remote, _ []string) error {
		var state api.LogState
		answer, err := r.get(ctx, "/v1/log", &state, theLog)
		switch {
		case err != nil:
			return err
		case asJSON:
			fmt.Fprintf(stdout, "%s\n", answer)
		default:
			printLog(stdout, &state, all)
		}
		return nil
	})
	c.Flags().BoolVar(&all, "all", false, "show empty partitions too")
	c.Flags().BoolVar(&asJSON, "json", false, "print the server's answer as it is")
	return c
}

func printLog(out io.Writer, state *api.LogState, all bool) {
	facts(
		out,
		"Log", fmt.Sprintf("%s at %s", printable(state.Kind), printable(state.Place)),
		"Durability", printable(state.Durability),
		"Nodes", nodes(state),
		memory(state), room(state),
		"Commits", commits(state),
		"Waiting", waiting(state),
		"Owners", owners(state),
		"Dead letters", deadLetters(state),
		"Losses", losses(state),
	)
	rows := 0
	numbers := []string{"Partition", "Head", "Durable", "Applied", "Lag", "Waiting", "Oldest", "Dead", "Epoch"}
	t := newTable(out, numbers...)
	t.AppendHeader(table.Row{"Partition", "Head", "Durable", "Applied", "Lag", "Waiting", "Oldest", "Dead", "Epoch", "Owner"})
	for _, p := range state.Partitions {
		if all || inUse(p) {
			t.AppendRow(row(p))
			rows++
		}
	}
	sum := state.Totals
	t.AppendFooter(table.Row{
		fmt.Sprintf("%d of %d", rows, len(state.Partitions)), count(sum.Commits), "", "", count(sum.Lag), count(sum.Waiting),
		oldest(sum.Waiting, sum.OldestSeconds), count(sum.DeadLetters), "", "",
	})
	if rows > 0 {
		fmt.Fprintln(out)
		t.Render()
	}
	for _, p := range state.Partitions {
		if p.Loss != nil {
			fmt.Fprintf(out, "\n%s\nNothing is read or written there until the commits are restored, or given up with:\n\n    tandem log accept-loss %d\n", lost(p), p.Partition)
		}
	}
}

// inUse reports whether there is anything to tell of a partition.
func inUse(p api.LogPartition) bool {
	return p.Head > 0 || p.Applied > 0 || p.Waiting > 0 || p.DeadLetters > 0 || p.Epoch > 0 || p.Loss != nil
}

func row(p api.LogPartition) table.Row {
	owner := printable(p.Owner)
	switch {
	case p.Loss != nil:
		owner = "none: it has lost commits"
	case owner == "":
		owner = "none"
	}
	return table.Row{
		p.Partition, count(p.Head), count(p.Durable), count(p.Applied), count(p.Lag), count(p.Waiting),
		oldest(p.Waiting, p.OldestSeconds), count(p.DeadLetters), p.Epoch, owner,
	}
}

func oldest(waiting uint64, seconds float64) string {
	if waiting == 0 || seconds == 0 {
		return ""
	}
	return age(seconds)
}

func nodes(state *api.LogState) string {
	var list []string
	for _, n := range state.Nodes {
		owned := 0
		for _, p := range state.Partitions {
			if p.Owner == n {
				owned++
			}
		}
		text := fmt.Sprintf("%s owns %d", printable(n), owned)
		if n == state.Node && len(state.Nodes) > 1 {
			text += ", answers here"
		}
		list = append(list, text)
	}
	if len(list) == 0 {
		return "none is known"
	}
	return strings.Join(list, "\n")
}

// memory names what bytes is: a server's memory, or a file's size.
func memory(state *api.LogState) string {
	if state.Kind == "redis" {
		return "Memory"
	}
	return "Size"
}

func room(state *api.LogState) string {
	if state.Limit == 0 {
		return size(state.Bytes)
	}
	return fmt.Sprintf("%s of %s (%.0f %%)", size(state.Bytes), size(state.Limit), 100*float64(state.Bytes)/float64(state.Limit))
}

func commits(state *api.LogState) string {
	text := count(state.Totals.Commits)
	if state.Totals.Lag == 0 {
		return text + ", all of them applied"
	}
	return text + ", " + count(state.Totals.Lag) + " not applied yet on the node that answers"
}

func waiting(state *api.LogState) string {
	if state.Totals.Waiting == 0 {
		return "nothing"
	}
	text := some(state.Totals.Waiting, "command", "commands")
	if o := oldest(state.Totals.Waiting, state.Totals.OldestSeconds); o != "" {
		text += ", the oldest for " + o
	}
	return text
}

func owners(state *api.LogState) string {
	var without []string
	for _, p := range state.Partitions {
		if p.Owner == "" {
			without = append(without, strconv.Itoa(p.Partition))
		}
	}
	switch len(without) {
	case 0:
		return "every partition has one"
	case 1:
		return "partition " + without[0] + " has none"
	case len(state.Partitions):
		return "no partition has one"
	}
	return fmt.Sprintf("%d partitions have none: %s", len(without), strings.Join(without, " "))
}

func deadLetters(state *api.LogState) string {
	if state.Totals.DeadLetters == 0 {
		return "none"
	}
	return count(state.Totals.DeadLetters) + "; see tandem deadletter list"
}

func losses(state *api.LogState) string {
	if state.Totals.Losses == 0 {
		return "none"
	}
	return some(uint64(state.Totals.Losses), "partition has", "partitions have") + " lost commits; see below"
}

// lost says what is lost in a partition.
func lost(p api.LogPartition) string {
	switch known, stored := p.Loss.Known, p.Loss.Stored; {
	case stored >= known:
		return fmt.Sprintf("Partition %d has another history: commit %s is not the one that was seen before.", p.Partition, count(known))
	case stored+1 == known:
		return fmt.Sprintf("Partition %d lost commit %s: it was seen before and is gone.", p.Partition, count(known))
	default:
		return fmt.Sprintf("Partition %d lost commits %s to %s: they were seen before and are gone.", p.Partition, count(stored+1), count(known))
	}
}

func acceptLossCommand(stdout io.Writer) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "accept-loss PARTITION...", Short: "Give lost commits up and go on with what is left", Args: cobra.MinimumNArgs(1),
		Long: "Give lost commits up and go on with what is left. Restore them instead if you can: this cannot be undone.\n" +
			"Positions that were given out before get 410 position_lost afterwards, so that every reader learns of it.",
	}
	remoteCommand(c, func(ctx context.Context, r *remote, args []string) error {
		partitions, err := partitionsOf(args)
		if err != nil {
			return err
		}
		return acceptLoss(ctx, r, partitions, yes, c.InOrStdin(), stdout)
	})
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

func partitionsOf(args []string) (list []int, err error) {
	for _, text := range args {
		p, err := strconv.Atoi(text)
		if err != nil || p < 0 || p >= eventlog.Partitions {
			return nil, &usageError{fmt.Errorf("%q is not a partition: want 0 to %d", text, eventlog.Partitions-1)}
		}
		list = append(list, p)
	}
	return list, nil
}

func acceptLoss(ctx context.Context, r *remote, partitions []int, yes bool, in io.Reader, stdout io.Writer) error {
	if !yes && !interactive(in) {
		return &usageError{errors.New("this cannot be undone, and there is nobody to ask: add --yes if it is meant")}
	}
	var state api.LogState
	if _, err := r.get(ctx, "/v1/log", &state, theLog); err != nil {
		return err
	}
	for _, p := range partitions {
		if p >= len(state.Partitions) || state.Partitions[p].Loss == nil {
			return fmt.Errorf("partition %d has lost nothing; nothing was accepted", p)
		}
		fmt.Fprintln(stdout, lost(state.Partitions[p]))
	}
	if !yes && !confirmed(in, stdout) {
		return errors.New("nothing was accepted")
	}
	answer, err := r.ask(ctx, http.MethodPost, "/v1/log/accept-loss", api.AcceptLoss{Partitions: partitions}, theLog)
	if err != nil {
		return err
	}
	if err := decode(answer, &state); err != nil {
		return err
	}
	for _, p := range partitions {
		fmt.Fprintf(stdout, "Partition %d goes on after commit %s, in epoch %d.\n", p, count(state.Partitions[p].Head), state.Partitions[p].Epoch)
	}
	return nil
}

// interactive reports whether somebody can answer.
func interactive(in io.Reader) bool {
	f, ok := in.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func confirmed(in io.Reader, out io.Writer) bool {
	fmt.Fprint(out, "This cannot be undone. Type yes to give them up: ")
	line, _ := bufio.NewReader(in).ReadString('\n') // what ends early is no yes
	return strings.TrimSpace(line) == "yes"
}
