package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"tandem/api"
)

func deadLetterCommand(stdout io.Writer) *cobra.Command {
	cmd := groupCommand("deadletter", "Inspect and replay unreadable command messages")
	cmd.AddCommand(
		deadLetterSubcommand(stdout, listDeadLetters, &cobra.Command{
			Use: "list", Short: "List all dead letters, the newest last", Args: cobra.NoArgs,
		}),
		deadLetterSubcommand(stdout, showDeadLetter, &cobra.Command{
			Use: "show PARTITION ID", Short: "Show the sender of a dead letter, and where decoding it failed", Args: cobra.ExactArgs(2),
		}),
		deadLetterSubcommand(stdout, replayDeadLetter, &cobra.Command{
			Use: "replay PARTITION ID", Short: "Resubmit a dead letter as a new command (not idempotent)", Args: cobra.ExactArgs(2),
			Long: "Resubmit a dead letter as a new command, after the program has been updated to read it. This is not idempotent: every\n" +
				"replay is another command, and so is a repeat by the sender. The exit status is 0 only if the command is committed.",
		}),
	)
	return cmd
}

type deadLetterRun func(ctx context.Context, client *apiClient, stdout io.Writer, args []string, asJSON bool) error

func deadLetterSubcommand(stdout io.Writer, run deadLetterRun, cmd *cobra.Command) *cobra.Command {
	var asJSON bool
	operatorCommand(cmd, func(ctx context.Context, client *apiClient, args []string) error {
		return run(ctx, client, stdout, args, asJSON)
	})
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the server's answer unchanged")
	return cmd
}

const missingDeadLetters = "dead letters resource; it may be older than this program"

// reasonWidth is the maximum width of reasons in tables, in characters.
const reasonWidth = 80

func listDeadLetters(ctx context.Context, client *apiClient, stdout io.Writer, _ []string, asJSON bool) error {
	all, err := fetchDeadLetters(ctx, client)
	if err != nil {
		return err
	}
	if asJSON {
		answer, err := json.Marshal(all)
		if err == nil {
			fmt.Fprintf(stdout, "%s\n", answer)
		}
		return err
	}
	if len(all.DeadLetters) == 0 {
		fmt.Fprintln(stdout, "There are no dead letters.")
		return nil
	}
	tbl := newTable(stdout, "Partition", "Size")
	tbl.AppendHeader(table.Row{"Partition", "At", "Size", "ID", "Reason"})
	for _, letter := range all.DeadLetters {
		reason := text.Snip(printable(letter.Reason), reasonWidth, "…")
		tbl.AppendRow(table.Row{letter.Partition, formatTime(letter.At), formatSize(uint64(letter.Size)), printable(letter.ID), reason})
	}
	tbl.Render()
	last := all.DeadLetters[len(all.DeadLetters)-1]
	fmt.Fprintf(stdout, "\n%s. Show the newest with:\n\n    tandem deadletter show %d %s\n",
		countOf(uint64(len(all.DeadLetters)), "dead letter", "dead letters"), last.Partition, shellQuoted(last.ID))
	return nil
}

// fetchDeadLetters fetches all pages of the list.
func fetchDeadLetters(ctx context.Context, client *apiClient) (all api.DeadLetters, err error) {
	all.DeadLetters = []api.DeadLetter{}
	for cursor := ""; ; {
		var part api.DeadLetters
		if _, err := client.get(ctx, "/v1/deadletters?limit=200"+cursor, &part, missingDeadLetters); err != nil {
			return all, err
		}
		all.DeadLetters = append(all.DeadLetters, part.DeadLetters...)
		if part.NextCursor == nil {
			return all, nil
		}
		cursor = "&cursor=" + url.QueryEscape(*part.NextCursor)
	}
}

// deadLetterPath returns the path of a dead letter. The id may be percent-encoded, as list prints it.
func deadLetterPath(args []string) (string, error) {
	partitions, err := parsePartitions(args[:1])
	if err != nil {
		return "", err
	}
	id := args[1]
	if plain, err := url.PathUnescape(id); err != nil || url.PathEscape(plain) != id {
		id = url.PathEscape(id)
	}
	return "/v1/deadletters/" + strconv.Itoa(partitions[0]) + "/" + id, nil
}

func missingDeadLetter(args []string) string {
	return fmt.Sprintf("dead letter %s in partition %s; tandem deadletter list shows all", printable(args[1]), args[0])
}

func showDeadLetter(ctx context.Context, client *apiClient, stdout io.Writer, args []string, asJSON bool) error {
	path, err := deadLetterPath(args)
	if err != nil {
		return err
	}
	var letter api.OneDeadLetter
	answer, err := client.get(ctx, path, &letter, missingDeadLetter(args))
	if err != nil {
		return err
	}
	if asJSON {
		fmt.Fprintf(stdout, "%s\n", answer)
		return nil
	}
	pairs := []string{
		"Dead letter", printable(letter.ID), "Partition", strconv.Itoa(letter.Partition), "At", formatTime(letter.At), "Size", formatSize(uint64(letter.Size)),
	}
	printPairs(stdout, append(append(pairs, payloadPairs(letter.Payload)...), "Reason", printableLines(letter.Reason))...)
	fmt.Fprintf(stdout, "\nThe content of the command belongs to the partners and is not shown.\n"+
		"If this version of the program can read it and the sender has not repeated it, replay it with:\n\n    tandem deadletter replay %d %s\n", letter.Partition, shellQuoted(letter.ID))
	return nil
}

// payloadPairs describes the envelope of the payload.
func payloadPairs(payload api.DeadLetterPayload) (pairs []string) {
	if !payload.Envelope {
		if payload.SHA256 == nil {
			return nil
		}
		return []string{"Payload", "is not a command envelope; SHA-256 " + printable(*payload.SHA256)}
	}
	name, command := "without a valid name", ""
	if payload.Command != nil {
		name = printable(*payload.Command)
	}
	if payload.CommandSize != nil {
		command = ", " + formatSize(uint64(*payload.CommandSize))
	}
	pairs = []string{"Command", name + command, "Sender", senderText(payload)}
	if payload.RequestedAt != nil {
		pairs = append(pairs, "Requested", formatTime(*payload.RequestedAt))
	}
	return pairs
}

func senderText(payload api.DeadLetterPayload) string {
	var pairs []string
	if payload.Partner != nil {
		pairs = append(pairs, "partner "+printable(string(*payload.Partner)))
	}
	if payload.Member != nil {
		pairs = append(pairs, "member "+printable(string(*payload.Member)))
	}
	if payload.Role != nil {
		pairs = append(pairs, printable(string(*payload.Role)))
	}
	if len(pairs) == 0 {
		return "unknown"
	}
	return strings.Join(pairs, ", ")
}

func replayDeadLetter(ctx context.Context, client *apiClient, stdout io.Writer, args []string, asJSON bool) error {
	path, err := deadLetterPath(args)
	if err != nil {
		return err
	}
	answer, err := client.call(ctx, http.MethodPost, path+"/replay", nil, missingDeadLetter(args))
	if err != nil {
		return err
	}
	var sent api.Replayed
	if err := decode(answer, &sent); err != nil {
		return err
	}
	if asJSON {
		fmt.Fprintf(stdout, "%s\n", answer)
	} else if sent.State == "done" {
		fmt.Fprintf(stdout, "Committed as command %s. The dead letter is kept.\n", printable(sent.Command))
	}
	return replayError(sent)
}

// replayError returns an error unless the replayed command is committed.
func replayError(sent api.Replayed) error {
	switch sent.State {
	case "done":
		return nil
	case "pending":
		return fmt.Errorf("command %s is sent, but not decided yet; tandem log status shows whether its partition has an owner", printable(sent.Command))
	case "dead":
		return fmt.Errorf("the payload is still unreadable and became another dead letter: %s", printable(sent.Command))
	}
	why := ""
	if sent.Problem != nil {
		why = " by the rule " + printable(sent.Problem.Code)
	}
	return fmt.Errorf("command %s was %s%s and has no effect", printable(sent.Command), printable(sent.State), why)
}

func formatTime(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") }

// printableLines is like printable for a text of several lines.
func printableLines(text string) string {
	var out []string
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		out = append(out, printable(strings.TrimRight(strings.ReplaceAll(line, "\t", "    "), " ")))
	}
	return strings.Join(out, "\n")
}
