package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tandem/api"
)

// pollInterval is the time between two looks for the test message.
const pollInterval = 250 * time.Millisecond

func testWebhookCommand(stdout io.Writer) *cobra.Command {
	var wait time.Duration
	cmd := webhookCommand(&cobra.Command{
		Use: "test WEBHOOK", Short: "Send a test message and print the result", Args: cobra.ExactArgs(1),
		Long: "Send a test message through the webhook's lane, like all its messages, and print the result of the first attempt.\n" +
			"The exit status is 0 only if the message was sent, or with --wait 0.",
	}, func(ctx context.Context, client *apiClient, path string, args []string) error {
		before, err := listTests(ctx, client, path, args)
		if err != nil {
			return err
		}
		if _, err := client.call(ctx, "POST", path+"/test", nil, missingWebhook(args)); err != nil || wait <= 0 {
			return printAccepted(stdout, args, err)
		}
		waiting, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		message, err := waitForTest(waiting, client, path, args, before)
		if err != nil {
			return err
		}
		return printTestResult(stdout, message)
	})
	cmd.Flags().DurationVar(&wait, "wait", 15*time.Second, "maximum wait for the first attempt; 0: do not wait")
	return cmd
}

// listTests returns the latest test messages.
func listTests(ctx context.Context, client *apiClient, path string, args []string) ([]api.WebhookDelivery, error) {
	var list api.DeliveryList
	_, err := client.get(ctx, path+"/deliveries?limit=200", &list, missingWebhook(args))
	return slices.DeleteFunc(list.Deliveries, func(message api.WebhookDelivery) bool { return message.Type != "webhook.test" }), err
}

// waitForTest waits for the first attempt of a test message that was not listed before.
func waitForTest(ctx context.Context, client *apiClient, path string, args []string, before []api.WebhookDelivery) (found api.WebhookDelivery, err error) {
	look := time.NewTicker(pollInterval)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return found, fmt.Errorf("no attempt has been made yet; tandem webhooks log %s will show it", shellQuoted(args[0]))
		case <-look.C:
		}
		current, err := listTests(ctx, client, path, args)
		if err != nil && ctx.Err() == nil {
			return found, err
		}
		for _, message := range current {
			if !slices.ContainsFunc(before, func(known api.WebhookDelivery) bool { return known.ID == message.ID }) {
				return message, nil
			}
		}
	}
}

func printTestResult(out io.Writer, message api.WebhookDelivery) error {
	if message.State != "delivered" {
		return fmt.Errorf("the test message was not sent: %s", printable(message.Reason))
	}
	text := "Sent"
	if message.Note != "" {
		text += ": " + printable(message.Note)
	}
	fmt.Fprintln(out, text+".")
	return nil
}
