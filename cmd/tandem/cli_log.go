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

const missingLogState = "log resource; it may be older than this program"

func logCommand(stdout io.Writer) *cobra.Command {
	cmd := groupCommand("log", "Inspect, repair and copy the event log")
	cmd.AddCommand(statusCommand(stdout), acceptLossCommand(stdout), copyCommand(stdout))
	return cmd
}

func statusCommand(stdout io.Writer) *cobra.Command {
	var all, asJSON bool
	cmd := operatorCommand(&cobra.Command{
		Use: "status", Short: "Show partitions, heads, owners, lag, command queues and memory", Args: cobra.NoArgs,
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
	cmd.Flags().BoolVar(&all, "all", false, "include empty partitions")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the server's answer unchanged")
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
			fmt.Fprintf(out, "\n%s\nThe partition is unavailable until the commits are restored, or the loss is accepted with:\n\n    tandem log accept-loss %d\n", lossText(partition), partition.Partition)
		}
	}
}

// inUse reports whether a partition has commits, commands, dead letters or losses.
func inUse(partition api.LogPartition) bool {
	return partition.Head > 0 || partition.Applied > 0 || partition.Waiting > 0 || partition.DeadLetters > 0 || partition.Epoch > 0 || partition.Loss != nil
}

func partitionRow(partition api.LogPartition) table.Row {
	owner := printable(partition.Owner)
	switch {
	case partition.Loss != nil:
		owner = "none: lost commits"
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
			text += ", answers this request"
		}
		list = append(list, text)
	}
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, "\n")
}

// sizeLabel returns the label for the bytes of the log: memory of a server, or size of a file.
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
		return text + ", all applied"
	}
	return text + ", " + formatCount(state.Totals.Lag) + " not yet applied on the answering node"
}

func waitingText(state *api.LogState) string {
	if state.Totals.Waiting == 0 {
		return "no commands"
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
		return "every partition has an owner"
	case 1:
		return "partition " + without[0] + " has no owner"
	case len(state.Partitions):
		return "no partition has an owner"
	}
	return fmt.Sprintf("%d partitions have no owner: %s", len(without), strings.Join(without, " "))
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

// lossText describes the loss of a partition.
func lossText(partition api.LogPartition) string {
	switch known, stored := partition.Loss.Known, partition.Loss.Stored; {
	case stored >= known:
		return fmt.Sprintf("Partition %d has a different history: commit %s differs from the commit that was read before.", partition.Partition, formatCount(known))
	case stored+1 == known:
		return fmt.Sprintf("Partition %d lost commit %s, which was read before.", partition.Partition, formatCount(known))
	default:
		return fmt.Sprintf("Partition %d lost commits %s to %s, which were read before.", partition.Partition, formatCount(stored+1), formatCount(known))
	}
}

func acceptLossCommand(stdout io.Writer) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "accept-loss PARTITION...", Short: "Accept the loss of commits and continue without them", Args: cobra.MinimumNArgs(1),
		Long: "Accept the loss of commits and continue without them. This cannot be undone: restore the commits instead if possible.\n" +
			"Positions from before the loss get 410 position_lost afterwards, so that every client notices.",
	}
	operatorCommand(cmd, func(ctx context.Context, client *apiClient, args []string) error {
		partitions, err := parsePartitions(args)
		if err != nil {
			return err
		}
		return acceptLoss(ctx, client, partitions, yes, cmd.InOrStdin(), stdout)
	})
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask for confirmation")
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
		return &usageError{errors.New("this cannot be undone and needs a confirmation: run it on a terminal, or add --yes")}
	}
	var state api.LogState
	if _, err := client.get(ctx, "/v1/log", &state, missingLogState); err != nil {
		return err
	}
	for _, partition := range partitions {
		if partition >= len(state.Partitions) || state.Partitions[partition].Loss == nil {
			return fmt.Errorf("partition %d has no loss; no loss was accepted", partition)
		}
		fmt.Fprintln(stdout, lossText(state.Partitions[partition]))
	}
	if !yes && !confirm(in, stdout) {
		return errors.New("no loss was accepted")
	}
	answer, err := client.call(ctx, http.MethodPost, "/v1/log/accept-loss", api.AcceptLoss{Partitions: partitions}, missingLogState)
	if err != nil {
		return err
	}
	if err := decode(answer, &state); err != nil {
		return err
	}
	for _, partition := range partitions {
		fmt.Fprintf(stdout, "Partition %d continues after commit %s, in epoch %d.\n", partition, formatCount(state.Partitions[partition].Head), state.Partitions[partition].Epoch)
	}
	return nil
}

// isInteractive reports whether in is a terminal.
func isInteractive(in io.Reader) bool {
	file, ok := in.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

func confirm(in io.Reader, out io.Writer) bool {
	fmt.Fprint(out, "This cannot be undone. Type yes to accept the loss: ")
	line, _ := bufio.NewReader(in).ReadString('\n') // an incomplete line is not a confirmation
	return strings.TrimSpace(line) == "yes"
}
