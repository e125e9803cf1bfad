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

	"tandem/api"
	"tandem/eventlog"
)

const missingLogState = "state of its log to tell; it may be older than this program"

func logCommand(stdout io.Writer) *cobra.Command {
	cmd := groupCommand("log", "See how a server's log is getting on, and decide what only a person can")
	cmd.AddCommand(statusCommand(stdout), acceptLossCommand(stdout), copyCommand(stdout))
	return cmd
}

func statusCommand(stdout io.Writer) *cobra.Command {
	var all, asJSON bool
	cmd := operatorCommand(&cobra.Command{
		Use: "status", Short: "Partitions, heads, owners, lag, inbox, memory", Args: cobra.NoArgs,
	}, func(ctx context.Context, client *apiClient, _ []string) error {
		var state api.LogState
		answer, err := client.get(ctx, "/v1/log", &state, missingLogState)
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
	cmd.Flags().BoolVar(&all, "all", false, "show empty partitions too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the server's answer as it is")
	return cmd
}

func printLog(out io.Writer, state *api.LogState, all bool) {
	printPairs(
		out,
		"Log", fmt.Sprintf("%s at %s", printable(state.Kind), printable(state.Place)),
		"Durability", printable(state.Durability),
		"Nodes", nodesText(state),
		sizeLabel(state), sizeText(state),
		"Commits", commitsText(state),
		"Waiting", waitingText(state),
		"Owners", ownersText(state),
		"Dead letters", deadLettersText(state),
		"Losses", lossesText(state),
	)
	rows := 0
	numbers := []string{"Partition", "Head", "Durable", "Applied", "Lag", "Waiting", "Oldest", "Dead", "Epoch"}
	tbl := newTable(out, numbers...)
	tbl.AppendHeader(table.Row{"Partition", "Head", "Durable", "Applied", "Lag", "Waiting", "Oldest", "Dead", "Epoch", "Owner"})
	for _, partition := range state.Partitions {
		if all || inUse(partition) {
			tbl.AppendRow(partitionRow(partition))
			rows++
		}
	}
	sum := state.Totals
	tbl.AppendFooter(table.Row{
		fmt.Sprintf("%d of %d", rows, len(state.Partitions)), formatCount(sum.Commits), "", "", formatCount(sum.Lag), formatCount(sum.Waiting),
		oldestText(sum.Waiting, sum.OldestSeconds), formatCount(sum.DeadLetters), "", "",
	})
	if rows > 0 {
		fmt.Fprintln(out)
		tbl.Render()
	}
	for _, partition := range state.Partitions {
		if partition.Loss != nil {
			fmt.Fprintf(out, "\n%s\nNothing is read or written there until the commits are restored, or given up with:\n\n    tandem log accept-loss %d\n", lossText(partition), partition.Partition)
		}
	}
}

// inUse reports whether there is anything to tell of a partition.
func inUse(partition api.LogPartition) bool {
	return partition.Head > 0 || partition.Applied > 0 || partition.Waiting > 0 || partition.DeadLetters > 0 || partition.Epoch > 0 || partition.Loss != nil
}

func partitionRow(partition api.LogPartition) table.Row {
	owner := printable(partition.Owner)
	switch {
	case partition.Loss != nil:
		owner = "none: it has lost commits"
	case owner == "":
		owner = "none"
	}
	return table.Row{
		partition.Partition, formatCount(partition.Head), formatCount(partition.Durable), formatCount(partition.Applied), formatCount(partition.Lag), formatCount(partition.Waiting),
		oldestText(partition.Waiting, partition.OldestSeconds), formatCount(partition.DeadLetters), partition.Epoch, owner,
	}
}

func oldestText(waiting uint64, seconds float64) string {
	if waiting == 0 || seconds == 0 {
		return ""
	}
	return formatAge(seconds)
}

func nodesText(state *api.LogState) string {
	var list []string
	for _, node := range state.Nodes {
		owned := 0
		for _, partition := range state.Partitions {
			if partition.Owner == node {
				owned++
			}
		}
		text := fmt.Sprintf("%s owns %d", printable(node), owned)
		if node == state.Node && len(state.Nodes) > 1 {
			text += ", answers here"
		}
		list = append(list, text)
	}
	if len(list) == 0 {
		return "none is known"
	}
	return strings.Join(list, "\n")
}

// sizeLabel names what bytes is: a server's memory, or a file's size.
func sizeLabel(state *api.LogState) string {
	if state.Kind == "redis" {
		return "Memory"
	}
	return "Size"
}

func sizeText(state *api.LogState) string {
	if state.Limit == 0 {
		return formatSize(state.Bytes)
	}
	return fmt.Sprintf("%s of %s (%.0f %%)", formatSize(state.Bytes), formatSize(state.Limit), 100*float64(state.Bytes)/float64(state.Limit))
}

func commitsText(state *api.LogState) string {
	text := formatCount(state.Totals.Commits)
	if state.Totals.Lag == 0 {
		return text + ", all of them applied"
	}
	return text + ", " + formatCount(state.Totals.Lag) + " not applied yet on the node that answers"
}

func waitingText(state *api.LogState) string {
	if state.Totals.Waiting == 0 {
		return "nothing"
	}
	text := countOf(state.Totals.Waiting, "command", "commands")
	if oldest := oldestText(state.Totals.Waiting, state.Totals.OldestSeconds); oldest != "" {
		text += ", the oldest for " + oldest
	}
	return text
}

func ownersText(state *api.LogState) string {
	var without []string
	for _, partition := range state.Partitions {
		if partition.Owner == "" {
			without = append(without, strconv.Itoa(partition.Partition))
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

func deadLettersText(state *api.LogState) string {
	if state.Totals.DeadLetters == 0 {
		return "none"
	}
	return formatCount(state.Totals.DeadLetters) + "; see tandem deadletter list"
}

func lossesText(state *api.LogState) string {
	if state.Totals.Losses == 0 {
		return "none"
	}
	return countOf(uint64(state.Totals.Losses), "partition has", "partitions have") + " lost commits; see below"
}

// lossText says what is lost in a partition.
func lossText(partition api.LogPartition) string {
	switch known, stored := partition.Loss.Known, partition.Loss.Stored; {
	case stored >= known:
		return fmt.Sprintf("Partition %d has another history: commit %s is not the one that was seen before.", partition.Partition, formatCount(known))
	case stored+1 == known:
		return fmt.Sprintf("Partition %d lost commit %s: it was seen before and is gone.", partition.Partition, formatCount(known))
	default:
		return fmt.Sprintf("Partition %d lost commits %s to %s: they were seen before and are gone.", partition.Partition, formatCount(stored+1), formatCount(known))
	}
}

func acceptLossCommand(stdout io.Writer) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "accept-loss PARTITION...", Short: "Give lost commits up and go on with what is left", Args: cobra.MinimumNArgs(1),
		Long: "Give lost commits up and go on with what is left. Restore them instead if you can: this cannot be undone.\n" +
			"Positions that were given out before get 410 position_lost afterwards, so that every reader learns of it.",
	}
	operatorCommand(cmd, func(ctx context.Context, client *apiClient, args []string) error {
		partitions, err := parsePartitions(args)
		if err != nil {
			return err
		}
		return acceptLoss(ctx, client, partitions, yes, cmd.InOrStdin(), stdout)
	})
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func parsePartitions(args []string) (list []int, err error) {
	for _, text := range args {
		partition, err := strconv.Atoi(text)
		if err != nil || partition < 0 || partition >= eventlog.Partitions {
			return nil, &usageError{fmt.Errorf("%q is not a partition: want 0 to %d", text, eventlog.Partitions-1)}
		}
		list = append(list, partition)
	}
	return list, nil
}

func acceptLoss(ctx context.Context, client *apiClient, partitions []int, yes bool, in io.Reader, stdout io.Writer) error {
	if !yes && !isInteractive(in) {
		return &usageError{errors.New("this cannot be undone, and there is nobody to ask: add --yes if it is meant")}
	}
	var state api.LogState
	if _, err := client.get(ctx, "/v1/log", &state, missingLogState); err != nil {
		return err
	}
	for _, partition := range partitions {
		if partition >= len(state.Partitions) || state.Partitions[partition].Loss == nil {
			return fmt.Errorf("partition %d has lost nothing; nothing was accepted", partition)
		}
		fmt.Fprintln(stdout, lossText(state.Partitions[partition]))
	}
	if !yes && !confirm(in, stdout) {
		return errors.New("nothing was accepted")
	}
	answer, err := client.call(ctx, http.MethodPost, "/v1/log/accept-loss", api.AcceptLoss{Partitions: partitions}, missingLogState)
	if err != nil {
		return err
	}
	if err := decode(answer, &state); err != nil {
		return err
	}
	for _, partition := range partitions {
		fmt.Fprintf(stdout, "Partition %d goes on after commit %s, in epoch %d.\n", partition, formatCount(state.Partitions[partition].Head), state.Partitions[partition].Epoch)
	}
	return nil
}

// isInteractive reports whether somebody can answer.
func isInteractive(in io.Reader) bool {
	file, ok := in.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

func confirm(in io.Reader, out io.Writer) bool {
	fmt.Fprint(out, "This cannot be undone. Type yes to give them up: ")
	line, _ := bufio.NewReader(in).ReadString('\n') // what ends early is no yes
	return strings.TrimSpace(line) == "yes"
}
