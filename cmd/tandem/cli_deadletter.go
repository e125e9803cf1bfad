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

	api "tandem/http"
)

func deadLetterCommand(stdout io.Writer) *cobra.Command {
	c := group("deadletter", "See the messages that could not be read as commands, and send them again")
	c.AddCommand(
		letterCommand(stdout, listLetters, &cobra.Command{
			Use: "list", Short: "List them, the newest last", Args: cobra.NoArgs,
		}),
		letterCommand(stdout, showLetter, &cobra.Command{
			Use: "show PARTITION ID", Short: "Show one: who sent it, and where reading it failed", Args: cobra.ExactArgs(2),
		}),
		letterCommand(stdout, replayLetter, &cobra.Command{
			Use: "replay PARTITION ID", Short: "Send one again as a new command, every time that it is asked for", Args: cobra.ExactArgs(2),
			Long: "Send one again as a new command, for when the program can read it now. It is done every time that it is asked\n" +
				"for, and once more if its sender has repeated it meanwhile. The exit status is 0 only when it is done.",
		}),
	)
	return c
}

type letterRun func(ctx context.Context, r *remote, stdout io.Writer, args []string, asJSON bool) error

func letterCommand(stdout io.Writer, run letterRun, c *cobra.Command) *cobra.Command {
	var asJSON bool
	remoteCommand(c, func(ctx context.Context, r *remote, args []string) error {
		return run(ctx, r, stdout, args, asJSON)
	})
	c.Flags().BoolVar(&asJSON, "json", false, "print the server's answer as it is")
	return c
}

const theLetters = "dead letters to tell; it may be older than this program"

// reasonWidth is how much of a reason stands in the list.
const reasonWidth = 80

func listLetters(ctx context.Context, r *remote, stdout io.Writer, _ []string, asJSON bool) error {
	all, err := letters(ctx, r)
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
	t := newTable(stdout, "Partition", "Size")
	t.AppendHeader(table.Row{"Partition", "At", "Size", "ID", "Reason"})
	for _, l := range all.DeadLetters {
		reason := text.Snip(printable(l.Reason), reasonWidth, "…")
		t.AppendRow(table.Row{l.Partition, instant(l.At), size(uint64(l.Size)), printable(l.ID), reason})
	}
	t.Render()
	last := all.DeadLetters[len(all.DeadLetters)-1]
	fmt.Fprintf(stdout, "\n%s. See the newest with:\n\n    tandem deadletter show %d %s\n",
		some(uint64(len(all.DeadLetters)), "dead letter", "dead letters"), last.Partition, quoted(last.ID))
	return nil
}

// letters gets all parts of the list.
func letters(ctx context.Context, r *remote) (all api.DeadLetters, err error) {
	all.DeadLetters = []api.DeadLetter{}
	for cursor := ""; ; {
		var part api.DeadLetters
		if _, err := r.get(ctx, "/v1/deadletters?limit=200"+cursor, &part, theLetters); err != nil {
			return all, err
		}
		all.DeadLetters = append(all.DeadLetters, part.DeadLetters...)
		if part.NextCursor == nil {
			return all, nil
		}
		cursor = "&cursor=" + url.QueryEscape(*part.NextCursor)
	}
}

// letterPath takes the id as list tells it, encoded; one that is not is encoded here.
func letterPath(args []string) (string, error) {
	p, err := partitionsOf(args[:1])
	if err != nil {
		return "", err
	}
	id := args[1]
	if plain, err := url.PathUnescape(id); err != nil || url.PathEscape(plain) != id {
		id = url.PathEscape(id)
	}
	return "/v1/deadletters/" + strconv.Itoa(p[0]) + "/" + id, nil
}

func letterName(args []string) string {
	return fmt.Sprintf("dead letter %s in partition %s; tandem deadletter list tells which there are", printable(args[1]), args[0])
}

func showLetter(ctx context.Context, r *remote, stdout io.Writer, args []string, asJSON bool) error {
	path, err := letterPath(args)
	if err != nil {
		return err
	}
	var l api.OneDeadLetter
	answer, err := r.get(ctx, path, &l, letterName(args))
	if err != nil {
		return err
	}
	if asJSON {
		fmt.Fprintf(stdout, "%s\n", answer)
		return nil
	}
	said := []string{
		"Dead letter", printable(l.ID), "Partition", strconv.Itoa(l.Partition), "At", instant(l.At), "Size", size(uint64(l.Size)),
	}
	facts(stdout, append(append(said, payload(l.Payload)...), "Reason", lines(l.Reason))...)
	fmt.Fprintf(stdout, "\nWhat the command says belongs to the partners and is not shown.\n"+
		"When the program can read it now, and nobody has sent it again since, send it with:\n\n    tandem deadletter replay %d %s\n", l.Partition, quoted(l.ID))
	return nil
}

// payload says what is known of the envelope.
func payload(p api.DeadLetterPayload) (said []string) {
	if !p.Envelope {
		if p.SHA256 == nil {
			return nil
		}
		return []string{"Payload", "is not as commands are sent; SHA-256 " + printable(*p.SHA256)}
	}
	name, command := "no name that could be told", ""
	if p.Command != nil {
		name = printable(*p.Command)
	}
	if p.CommandSize != nil {
		command = ", " + size(uint64(*p.CommandSize))
	}
	said = []string{"Command", name + command, "Sender", sender(p)}
	if p.RequestedAt != nil {
		said = append(said, "Requested", instant(*p.RequestedAt))
	}
	return said
}

func sender(p api.DeadLetterPayload) string {
	var said []string
	if p.Partner != nil {
		said = append(said, "partner "+printable(string(*p.Partner)))
	}
	if p.Member != nil {
		said = append(said, "member "+printable(string(*p.Member)))
	}
	if p.Role != nil {
		said = append(said, printable(string(*p.Role)))
	}
	if len(said) == 0 {
		return "unknown"
	}
	return strings.Join(said, ", ")
}

func replayLetter(ctx context.Context, r *remote, stdout io.Writer, args []string, asJSON bool) error {
	path, err := letterPath(args)
	if err != nil {
		return err
	}
	answer, err := r.ask(ctx, http.MethodPost, path+"/replay", nil, letterName(args))
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
	return becameOf(sent)
}

// becameOf is an error for everything but a command that is done.
func becameOf(sent api.Replayed) error {
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

func instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// lines is printable for a text of several lines.
func lines(text string) string {
	var out []string
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		out = append(out, printable(strings.TrimRight(strings.ReplaceAll(line, "\t", "    "), " ")))
	}
	return strings.Join(out, "\n")
}
