package main

import (
	"context"
	"encoding/json"
	"errors"
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

	"tandem/api"
	"tandem/domain"
)

func webhooksCommand(stdout io.Writer) *cobra.Command {
	cmd := groupCommand("webhooks", "Inspect, test and replay the webhooks of a partner")
	cmd.AddCommand(
		listWebhooksCommand(stdout), webhookLogCommand(stdout), testWebhookCommand(stdout), redeliverCommand(stdout),
		replayWebhookCommand(stdout), previewWebhookCommand(stdout),
	)
	return cmd
}

// webhookCommand makes cmd a client command about the partner's webhooks. The path is that of the webhook, or of all.
func webhookCommand(cmd *cobra.Command, run func(ctx context.Context, client *apiClient, path string, args []string) error) *cobra.Command {
	return memberCommand(cmd, func(ctx context.Context, client *apiClient, args []string) error {
		home, err := client.partnerPath(ctx)
		if err != nil {
			return err
		}
		path := home + "/webhooks"
		if len(args) > 0 {
			path += "/" + url.PathEscape(args[0])
		}
		return run(ctx, client, path, args)
	})
}

const missingWebhooks = "webhooks that are visible to this token; tokens limited to some agreements see none"

func missingWebhook(args []string) string {
	return fmt.Sprintf("webhook %s that is visible to this token; tandem webhooks list shows all", printable(args[0]))
}

func missingMessage(args []string) string {
	return fmt.Sprintf("message %s of webhook %s; tandem webhooks log %s shows the latest", printable(args[1]), printable(args[0]), shellQuoted(printable(args[0])))
}

func jsonFlag(cmd *cobra.Command, asJSON *bool) {
	cmd.Flags().BoolVar(asJSON, "json", false, "print the server's answer unchanged")
}

func listWebhooksCommand(stdout io.Writer) *cobra.Command {
	var asJSON bool
	cmd := webhookCommand(&cobra.Command{
		Use: "list", Short: "List the webhooks", Args: cobra.NoArgs,
	}, func(ctx context.Context, client *apiClient, path string, _ []string) error {
		var all api.Webhooks // at most 50, so one page
		answer, err := client.get(ctx, path+"?limit=200", &all, missingWebhooks)
		switch {
		case err != nil:
			return err
		case asJSON:
			fmt.Fprintf(stdout, "%s\n", answer)
		case len(all.Webhooks) == 0:
			fmt.Fprintln(stdout, "There are no webhooks.")
		default:
			statuses, err := fetchStatuses(ctx, client, path, all.Webhooks)
			if err != nil {
				return err
			}
			printWebhooks(stdout, all.Webhooks, statuses)
		}
		return nil
	})
	jsonFlag(cmd, &asJSON)
	return cmd
}

// fetchStatuses returns the status of each webhook.
func fetchStatuses(ctx context.Context, client *apiClient, path string, list []api.Webhook) (map[domain.WebhookID]api.DeliveryStanding, error) {
	statuses := map[domain.WebhookID]api.DeliveryStanding{}
	for _, webhook := range list {
		var page api.DeliveryList
		if _, err := client.get(ctx, path+"/"+url.PathEscape(string(webhook.ID))+"/deliveries?limit=1", &page, missingWebhook([]string{string(webhook.ID)})); err != nil {
			return nil, err
		}
		statuses[webhook.ID] = page.Standing
	}
	return statuses, nil
}

// webhookState returns the state of a webhook, or its failure.
func webhookState(webhook api.Webhook, status api.DeliveryStanding) string {
	switch {
	case webhook.DisabledReason != nil:
		return webhook.State + ": " + *webhook.DisabledReason
	case status.FailingSince != nil && status.NextAttemptAt != nil:
		return "fails since " + formatTime(*status.FailingSince) + ", next attempt at " + formatTime(*status.NextAttemptAt)
	case status.FailingSince != nil:
		return "fails since " + formatTime(*status.FailingSince)
	}
	return webhook.State
}

func printWebhooks(out io.Writer, list []api.Webhook, statuses map[domain.WebhookID]api.DeliveryStanding) {
	tbl := newTable(out, "Sent", "Behind")
	tbl.AppendHeader(table.Row{"ID", "Format", "To", "Events", "Language", "Sent", "Behind", "State", "Title"})
	for _, webhook := range list {
		status := statuses[webhook.ID]
		state := webhookState(webhook, status)
		tbl.AppendRow(table.Row{
			webhook.ID, printable(webhook.Format), printable(webhook.Place), printable(strings.Join(webhook.Events, " ")), webhook.Language, status.Delivered, status.Behind,
			text.Snip(printable(state), reasonWidth, "…"), printable(webhook.Title),
		})
	}
	tbl.Render()
}

func webhookLogCommand(stdout io.Writer) *cobra.Command {
	var asJSON bool
	cmd := webhookCommand(&cobra.Command{
		Use: "log WEBHOOK [MESSAGE]", Short: "List the latest messages of a webhook, or show the attempts of one", Args: cobra.RangeArgs(1, 2),
	}, func(ctx context.Context, client *apiClient, path string, args []string) error {
		if len(args) == 2 {
			return showMessage(ctx, client, stdout, path, args, asJSON)
		}
		var list api.DeliveryList // of the last 50 attempts, so one page
		answer, err := client.get(ctx, path+"/deliveries?limit=200", &list, missingWebhook(args))
		switch {
		case err != nil:
			return err
		case asJSON:
			fmt.Fprintf(stdout, "%s\n", answer)
		case len(list.Deliveries) == 0:
			fmt.Fprintln(stdout, "No message has been sent yet.")
		default:
			printMessages(stdout, list.Deliveries)
		}
		return nil
	})
	jsonFlag(cmd, &asJSON)
	return cmd
}

func printMessages(out io.Writer, list []api.WebhookDelivery) {
	tbl := newTable(out, "Attempts", "Status")
	tbl.AppendHeader(table.Row{"Last attempt", "ID", "Type", "State", "Attempts", "Status", "Reason"})
	for _, message := range slices.Backward(list) {
		tbl.AppendRow(table.Row{
			formatTime(message.LastAt), printable(message.ID), printable(message.Type), messageState(message), message.Attempts, formatStatus(message.Status),
			text.Snip(printable(message.Reason+message.Note), reasonWidth, "…"),
		})
	}
	tbl.Render()
}

func messageState(message api.WebhookDelivery) string {
	if message.NextAt != nil && message.State == "retrying" {
		return "retry at " + formatTime(*message.NextAt)
	}
	return printable(message.State)
}

func formatStatus(status *int) string {
	if status == nil {
		return ""
	}
	return strconv.Itoa(*status)
}

func showMessage(ctx context.Context, client *apiClient, out io.Writer, path string, args []string, asJSON bool) error {
	var message api.OneDelivery
	answer, err := client.get(ctx, path+"/deliveries/"+url.PathEscape(args[1]), &message, missingMessage(args))
	if err != nil {
		return err
	}
	if asJSON {
		fmt.Fprintf(out, "%s\n", answer)
		return nil
	}
	printPairs(out, "Message", printable(message.ID), "Type", printable(message.Type), "State", messageState(message.WebhookDelivery), "Attempts", strconv.Itoa(message.Attempts))
	for _, attempt := range message.Log {
		fmt.Fprintln(out)
		printAttempt(out, attempt)
	}
	return nil
}

func printAttempt(out io.Writer, attempt api.DeliveryAttempt) {
	result := "sent"
	if !attempt.OK {
		result = "failed"
	}
	if attempt.Status != nil {
		result += ", status " + strconv.Itoa(*attempt.Status)
	}
	pairs := []string{
		fmt.Sprintf("Attempt %d", attempt.Number), fmt.Sprintf("%s, %d ms, %s", formatTime(attempt.At), attempt.TookMS, result),
	}
	for _, more := range [][2]string{{"Reason", attempt.Reason}, {"Note", attempt.Note}} {
		if more[1] != "" {
			pairs = append(pairs, more[0], printable(more[1]))
		}
	}
	pairs = append(pairs, "Sent", requestText(attempt.Request))
	if attempt.Response != nil {
		pairs = append(pairs, "Answer", printableLines(headerText(attempt.Response.Headers)+"\n"+attempt.Response.Body))
	}
	printPairs(out, pairs...)
}

func requestText(request api.DeliveryRequest) string {
	return printableLines(request.Method + " " + request.URL + "\n" + headerText(request.Headers) + "\n" + request.Body)
}

func headerText(headers map[string]string) string {
	var builder strings.Builder
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		fmt.Fprintf(&builder, "%s: %s\n", name, headers[name])
	}
	return builder.String()
}

func redeliverCommand(stdout io.Writer) *cobra.Command {
	return webhookCommand(&cobra.Command{
		Use: "redeliver WEBHOOK MESSAGE", Short: "Send a message again", Args: cobra.ExactArgs(2),
	}, func(ctx context.Context, client *apiClient, path string, args []string) error {
		_, err := client.call(ctx, "POST", path+"/deliveries/"+url.PathEscape(args[1])+"/redeliver", nil, missingMessage(args))
		return printAccepted(stdout, args, err)
	})
}

// printAccepted confirms a request that the webhook's lane carries out later.
func printAccepted(out io.Writer, args []string, err error) error {
	if err == nil {
		fmt.Fprintf(out, "Requested. Show the result with:\n\n    tandem webhooks log %s\n", shellQuoted(args[0]))
	}
	return err
}

func replayWebhookCommand(stdout io.Writer) *cobra.Command {
	var after, since string
	cmd := webhookCommand(&cobra.Command{
		Use: "replay WEBHOOK", Short: "Send the events after a position or since a time again", Args: cobra.ExactArgs(1),
	}, func(ctx context.Context, client *apiClient, path string, args []string) error {
		body, err := replayBody(after, since)
		if err == nil {
			_, err = client.call(ctx, "POST", path+"/replay", body, missingWebhook(args))
		}
		return printAccepted(stdout, args, err)
	})
	cmd.Flags().StringVar(&after, "after", "", "position of the last event to skip, as events and feeds have it")
	cmd.Flags().StringVar(&since, "since", "", "time such as 2018-03-30T09:00:00Z, or a date, from its start in UTC")
	return cmd
}

func replayBody(after, since string) (map[string]string, error) {
	if (after == "") == (since == "") {
		return nil, &usageError{errors.New("the start is missing or ambiguous: set either --after or --since")}
	}
	if after != "" {
		return map[string]string{"after": after}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if instant, err := time.Parse(layout, since); err == nil {
			return map[string]string{"since": instant.UTC().Format(time.RFC3339Nano)}, nil
		}
	}
	return nil, &usageError{fmt.Errorf("--since %q: want a time such as 2018-03-30T09:00:00Z, or a date", since)}
}

func previewWebhookCommand(stdout io.Writer) *cobra.Command {
	var asJSON bool
	var language string
	cmd := webhookCommand(&cobra.Command{
		Use: "preview WEBHOOK", Short: "Show the message for the latest event without sending it", Args: cobra.ExactArgs(1),
	}, func(ctx context.Context, client *apiClient, path string, args []string) error {
		path += "/preview"
		if language != "" {
			path += "?language=" + url.QueryEscape(language)
		}
		var preview api.WebhookPreview
		answer, err := client.get(ctx, path, &preview, missingWebhook(args))
		switch {
		case err != nil:
			return err
		case asJSON:
			fmt.Fprintf(stdout, "%s\n", answer)
		default:
			printPreview(stdout, preview)
		}
		return nil
	})
	jsonFlag(cmd, &asJSON)
	cmd.Flags().StringVar(&language, "language", "", "language of the message: en, zh or fi (default: that of the webhook)")
	return cmd
}

func printPreview(out io.Writer, preview api.WebhookPreview) {
	pairs := []string{"Event", printable(preview.Type), "Headline", printable(preview.Message.Headline)}
	for _, fact := range preview.Message.Facts {
		pairs = append(pairs, printable(fact.Name), printable(fact.Value))
	}
	printPairs(out, append(pairs, "State", printable(preview.Message.State), "Link", printable(preview.Message.Link))...)
	fmt.Fprintf(out, "\n%s\n", requestText(api.DeliveryRequest{Method: preview.Request.Method, URL: preview.Request.URL, Headers: preview.Request.Headers}))
	var pretty any
	if json.Unmarshal([]byte(preview.Request.Body), &pretty) == nil {
		if b, err := json.MarshalIndent(pretty, "", "  "); err == nil {
			preview.Request.Body = string(b)
		}
	}
	fmt.Fprintf(out, "\n%s\n", printableLines(preview.Request.Body))
}
