package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"tandem/domain"
	api "tandem/http"
	"tandem/projections"
)

func webhooksCommand(stdout io.Writer) *cobra.Command {
	c := group("webhooks", "See a partner's webhooks and what they delivered, test and replay them")
	c.AddCommand(
		listWebhooksCommand(stdout), webhookLogCommand(stdout), testWebhookCommand(stdout), redeliverCommand(stdout),
		replayWebhookCommand(stdout), previewWebhookCommand(stdout),
	)
	return c
}

// webhookCommand makes c a command about the partner's webhooks; the path is theirs.
func webhookCommand(c *cobra.Command, run func(ctx context.Context, r *remote, path string, args []string) error) *cobra.Command {
	return memberCommand(c, func(ctx context.Context, r *remote, args []string) error {
		home, err := r.home(ctx)
		if err != nil {
			return err
		}
		path := home + "/webhooks"
		if len(args) > 0 {
			path += "/" + url.PathEscape(args[0])
		}
		return run(ctx, r, path, args)
	})
}

const theWebhooks = "webhooks that this token may see; one that is limited to some agreements sees none"

func webhookName(args []string) string {
	return fmt.Sprintf("webhook %s that this token may see; tandem webhooks list tells which there are", printable(args[0]))
}

func deliveryName(args []string) string {
	return fmt.Sprintf("delivery %s of webhook %s; tandem webhooks log %s tells which it remembers", printable(args[1]), printable(args[0]), quoted(printable(args[0])))
}

func jsonFlag(c *cobra.Command, asJSON *bool) {
	c.Flags().BoolVar(asJSON, "json", false, "print the server's answer as it is")
}

func listWebhooksCommand(stdout io.Writer) *cobra.Command {
	var asJSON bool
	c := webhookCommand(&cobra.Command{
		Use: "list", Short: "List them", Args: cobra.NoArgs,
	}, func(ctx context.Context, r *remote, path string, _ []string) error {
		var all projections.Webhooks // 50 at most: one part
		answer, err := r.get(ctx, path+"?limit=200", &all, theWebhooks)
		switch {
		case err != nil:
			return err
		case asJSON:
			fmt.Fprintf(stdout, "%s\n", answer)
		case len(all.Webhooks) == 0:
			fmt.Fprintln(stdout, "There are no webhooks.")
		default:
			stand, err := standings(ctx, r, path, all.Webhooks)
			if err != nil {
				return err
			}
			printWebhooks(stdout, all.Webhooks, stand)
		}
		return nil
	})
	jsonFlag(c, &asJSON)
	return c
}

// standings returns how the deliveries of webhooks stand.
func standings(ctx context.Context, r *remote, path string, list []projections.Webhook) (map[domain.WebhookID]api.DeliveryStanding, error) {
	stand := map[domain.WebhookID]api.DeliveryStanding{}
	for _, w := range list {
		var d api.DeliveryList
		if _, err := r.get(ctx, path+"/"+url.PathEscape(string(w.ID))+"/deliveries?limit=1", &d, webhookName([]string{string(w.ID)})); err != nil {
			return nil, err
		}
		stand[w.ID] = d.Standing
	}
	return stand, nil
}

// stateOfWebhook says whether it is enabled, and if not all is well, what is not.
func stateOfWebhook(w projections.Webhook, s api.DeliveryStanding) string {
	switch {
	case w.DisabledReason != nil:
		return w.State + ": " + *w.DisabledReason
	case s.FailingSince != nil && s.NextAttemptAt != nil:
		return "fails since " + instant(*s.FailingSince) + ", tried again at " + instant(*s.NextAttemptAt)
	case s.FailingSince != nil:
		return "fails since " + instant(*s.FailingSince)
	}
	return w.State
}

func printWebhooks(out io.Writer, list []projections.Webhook, stand map[domain.WebhookID]api.DeliveryStanding) {
	t := newTable(out, "Delivered", "Behind")
	t.AppendHeader(table.Row{"ID", "Format", "To", "Events", "Language", "Delivered", "Behind", "State", "Title"})
	for _, w := range list {
		s := stand[w.ID]
		state := stateOfWebhook(w, s)
		t.AppendRow(table.Row{
			w.ID, printable(w.Format), printable(w.Place), printable(strings.Join(w.Events, " ")), w.Language, s.Delivered, s.Behind,
			text.Snip(printable(state), reasonWidth, "…"), printable(w.Title),
		})
	}
	t.Render()
}

func webhookLogCommand(stdout io.Writer) *cobra.Command {
	var asJSON bool
	c := webhookCommand(&cobra.Command{
		Use: "log WEBHOOK [DELIVERY]", Short: "List what was delivered lately and what was not, or show one of them", Args: cobra.RangeArgs(1, 2),
	}, func(ctx context.Context, r *remote, path string, args []string) error {
		if len(args) == 2 {
			return showDelivery(ctx, r, stdout, path, args, asJSON)
		}
		var list api.DeliveryList // of the last 50 attempts: one part
		answer, err := r.get(ctx, path+"/deliveries?limit=200", &list, webhookName(args))
		switch {
		case err != nil:
			return err
		case asJSON:
			fmt.Fprintf(stdout, "%s\n", answer)
		case len(list.Deliveries) == 0:
			fmt.Fprintln(stdout, "Nothing was delivered yet.")
		default:
			printDeliveries(stdout, list.Deliveries)
		}
		return nil
	})
	jsonFlag(c, &asJSON)
	return c
}

func printDeliveries(out io.Writer, list []api.WebhookDelivery) {
	t := newTable(out, "Attempts", "Status")
	t.AppendHeader(table.Row{"Last attempt", "ID", "Type", "State", "Attempts", "Status", "Reason"})
	for _, d := range slices.Backward(list) {
		t.AppendRow(table.Row{
			instant(d.LastAt), printable(d.ID), printable(d.Type), stateOfDelivery(d), d.Attempts, statusOf(d.Status),
			text.Snip(printable(d.Reason+d.Note), reasonWidth, "…"),
		})
	}
	t.Render()
}

func stateOfDelivery(d api.WebhookDelivery) string {
	if d.NextAt != nil && d.State == "retrying" {
		return "again at " + instant(*d.NextAt)
	}
	return printable(d.State)
}

func statusOf(status *int) string {
	if status == nil {
		return ""
	}
	return strconv.Itoa(*status)
}

func showDelivery(ctx context.Context, r *remote, out io.Writer, path string, args []string, asJSON bool) error {
	var d api.OneDelivery
	answer, err := r.get(ctx, path+"/deliveries/"+url.PathEscape(args[1]), &d, deliveryName(args))
	if err != nil {
		return err
	}
	if asJSON {
		fmt.Fprintf(out, "%s\n", answer)
		return nil
	}
	facts(out, "Delivery", printable(d.ID), "Type", printable(d.Type), "State", stateOfDelivery(d.WebhookDelivery), "Attempts", strconv.Itoa(d.Attempts))
	for _, a := range d.Log {
		fmt.Fprintln(out)
		printAttempt(out, a)
	}
	return nil
}

func printAttempt(out io.Writer, a api.DeliveryAttempt) {
	outcome := "delivered"
	if !a.OK {
		outcome = "failed"
	}
	if a.Status != nil {
		outcome += ", status " + strconv.Itoa(*a.Status)
	}
	pairs := []string{
		fmt.Sprintf("Attempt %d", a.Number), fmt.Sprintf("%s, %d ms, %s", instant(a.At), a.TookMS, outcome),
	}
	for _, more := range [][2]string{{"Reason", a.Reason}, {"Note", a.Note}} {
		if more[1] != "" {
			pairs = append(pairs, more[0], printable(more[1]))
		}
	}
	pairs = append(pairs, "Sent", requestText(a.Request))
	if a.Response != nil {
		pairs = append(pairs, "Answer", lines(headerText(a.Response.Headers)+"\n"+a.Response.Body))
	}
	facts(out, pairs...)
}

func requestText(q api.DeliveryRequest) string {
	return lines(q.Method + " " + q.URL + "\n" + headerText(q.Headers) + "\n" + q.Body)
}

func headerText(headers map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		fmt.Fprintf(&b, "%s: %s\n", name, headers[name])
	}
	return b.String()
}

func redeliverCommand(stdout io.Writer) *cobra.Command {
	return webhookCommand(&cobra.Command{
		Use: "redeliver WEBHOOK DELIVERY", Short: "Deliver one again", Args: cobra.ExactArgs(2),
	}, func(ctx context.Context, r *remote, path string, args []string) error {
		_, err := r.ask(ctx, "POST", path+"/deliveries/"+url.PathEscape(args[1])+"/redeliver", nil, deliveryName(args))
		return asked(stdout, args, err)
	})
}

// asked says what follows on something that was asked of the deliveries.
func asked(out io.Writer, args []string, err error) error {
	if err == nil {
		fmt.Fprintf(out, "It is asked for. See what becomes of it with:\n\n    tandem webhooks log %s\n", quoted(args[0]))
	}
	return err
}

func replayWebhookCommand(stdout io.Writer) *cobra.Command {
	var after, since string
	c := webhookCommand(&cobra.Command{
		Use: "replay WEBHOOK", Short: "Deliver again what came after a position, or was recorded since a time", Args: cobra.ExactArgs(1),
	}, func(ctx context.Context, r *remote, path string, args []string) error {
		body, err := replayBody(after, since)
		if err == nil {
			_, err = r.ask(ctx, "POST", path+"/replay", body, webhookName(args))
		}
		return asked(stdout, args, err)
	})
	c.Flags().StringVar(&after, "after", "", "a position, as events and feeds tell it")
	c.Flags().StringVar(&since, "since", "", "an instant such as 2018-03-30T09:00:00Z, or a date, which begins in UTC")
	return c
}

func replayBody(after, since string) (map[string]string, error) {
	if (after == "") == (since == "") {
		return nil, &usageError{fmt.Errorf("say from where on: --after or --since, and not both")}
	}
	if after != "" {
		return map[string]string{"after": after}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, since); err == nil {
			return map[string]string{"since": t.UTC().Format(time.RFC3339Nano)}, nil
		}
	}
	return nil, &usageError{fmt.Errorf("--since %q: want an instant such as 2018-03-30T09:00:00Z, or a date", since)}
}

func previewWebhookCommand(stdout io.Writer) *cobra.Command {
	var asJSON bool
	var language string
	c := webhookCommand(&cobra.Command{
		Use: "preview WEBHOOK", Short: "Show what it would be sent of the latest event; nothing is sent", Args: cobra.ExactArgs(1),
	}, func(ctx context.Context, r *remote, path string, args []string) error {
		path += "/preview"
		if language != "" {
			path += "?language=" + url.QueryEscape(language)
		}
		var p api.WebhookPreview
		answer, err := r.get(ctx, path, &p, webhookName(args))
		switch {
		case err != nil:
			return err
		case asJSON:
			fmt.Fprintf(stdout, "%s\n", answer)
		default:
			printPreview(stdout, p)
		}
		return nil
	})
	jsonFlag(c, &asJSON)
	c.Flags().StringVar(&language, "language", "", "en, zh or fi instead of the webhook's")
	return c
}

func printPreview(out io.Writer, p api.WebhookPreview) {
	pairs := []string{"Of", printable(p.Type), "Headline", printable(p.Message.Headline)}
	for _, f := range p.Message.Facts {
		pairs = append(pairs, printable(f.Name), printable(f.Value))
	}
	facts(out, append(pairs, "State", printable(p.Message.State), "Link", printable(p.Message.Link))...)
	fmt.Fprintf(out, "\n%s\n", requestText(api.DeliveryRequest{Method: p.Request.Method, URL: p.Request.URL, Headers: p.Request.Headers}))
	var pretty any
	if json.Unmarshal([]byte(p.Request.Body), &pretty) == nil {
		if b, err := json.MarshalIndent(pretty, "", "  "); err == nil {
			p.Request.Body = string(b)
		}
	}
	fmt.Fprintf(out, "\n%s\n", lines(p.Request.Body))
}
