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
	cmd := groupCommand("deadletter", "See the messages that could not be read as commands, and send them again")
	cmd.AddCommand(
		deadLetterSubcommand(stdout, listDeadLetters, &cobra.Command{
			Use: "list", Short: "List them, the newest last", Args: cobra.NoArgs,
		}),
		deadLetterSubcommand(stdout, showDeadLetter, &cobra.Command{
			Use: "show PARTITION ID", Short: "Show one: who sent it, and where reading it failed", Args: cobra.ExactArgs(2),
		}),
		deadLetterSubcommand(stdout, replayDeadLetter, &cobra.Command{
			Use: "replay PARTITION ID", Short: "Send one again as a new command, every time that it is asked for", Args: cobra.ExactArgs(2),
			Long: "Send one again as a new command, for when the program can read it now. It is done every time that it is asked\n" +
				"for, and once more if its sender has repeated it meanwhile. The exit status is 0 only when it is done.",
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
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the server's answer as it is")
	return cmd
}

const missingDeadLetters = "dead letters to tell; it may be older than this program"

// reasonWidth is how much of a reason stands in the list.
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
	fmt.Fprintf(stdout, "\n%s. See the newest with:\n\n    tandem deadletter show %d %s\n",
		countOf(uint64(len(all.DeadLetters)), "dead letter", "dead letters"), last.Partition, shellQuoted(last.ID))
	return nil
}

// fetchDeadLetters gets all parts of the list.
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

// deadLetterPath takes the id as list tells it, encoded; one that is not is encoded here.
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
	return fmt.Sprintf("dead letter %s in partition %s; tandem deadletter list tells which there are", printable(args[1]), args[0])
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
	fmt.Fprintf(stdout, "\nWhat the command says belongs to the partners and is not shown.\n"+
		"When the program can read it now, and nobody has sent it again since, send it with:\n\n    tandem deadletter replay %d %s\n", letter.Partition, shellQuoted(letter.ID))
	return nil
}

// payloadPairs says what is known of the envelope.
func payloadPairs(payload api.DeadLetterPayload) (pairs []string) {
	if !payload.Envelope {
		if payload.SHA256 == nil {
			return nil
		}
		return []string{"Payload", "is not as commands are sent; SHA-256 " + printable(*payload.SHA256)}
	}
	name, command := "no name that could be told", ""
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
		fmt.Fprintf(stdout, "Done, as command %s. The dead letter is kept.\n", printable(sent.Command))
	}
	return replayError(sent)
}

// replayError is an error for everything but a command that is done.
func replayError(sent api.Replayed) error {
	switch sent.State {
	case "done":
		return nil
	case "pending":
		return fmt.Errorf("it was sent again as command %s, but is not decided yet; tandem log status tells whether its partition has an owner", printable(sent.Command))
	case "dead":
		return fmt.Errorf("it still cannot be read, and is one more dead letter now: %s", printable(sent.Command))
	}
	why := ""
	if sent.Problem != nil {
		why = " by the rule " + printable(sent.Problem.Code)
	}
	return fmt.Errorf("command %s was %s%s; it changed nothing", printable(sent.Command), printable(sent.State), why)
}

func formatTime(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") }

// printableLines is printable for a text of several lines.
func printableLines(text string) string {
	var out []string
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		out = append(out, printable(strings.TrimRight(strings.ReplaceAll(line, "\t", "    "), " ")))
	}
	return strings.Join(out, "\n")
}
