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

// pollInterval is how often a test is looked for.
const pollInterval = 250 * time.Millisecond

func testWebhookCommand(stdout io.Writer) *cobra.Command {
	var wait time.Duration
	cmd := webhookCommand(&cobra.Command{
		Use: "test WEBHOOK", Short: "Send a message that says it is a test, and tell what became of it", Args: cobra.ExactArgs(1),
		Long: "Send a message that says it is a test, on the way that all messages take, and tell what became of it.\n" +
			"The exit status is 0 only when it was delivered, or nobody waited.",
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
	cmd.Flags().DurationVar(&wait, "wait", 15*time.Second, "how long to wait for the first attempt; 0: not at all")
	return cmd
}

// listTests returns the tests that the deliveries remember.
func listTests(ctx context.Context, client *apiClient, path string, args []string) ([]api.WebhookDelivery, error) {
	var list api.DeliveryList
	_, err := client.get(ctx, path+"/deliveries?limit=200", &list, missingWebhook(args))
	return slices.DeleteFunc(list.Deliveries, func(message api.WebhookDelivery) bool { return message.Type != "webhook.test" }), err
}

// waitForTest waits for a test that was not there before.
func waitForTest(ctx context.Context, client *apiClient, path string, args []string, before []api.WebhookDelivery) (found api.WebhookDelivery, err error) {
	look := time.NewTicker(pollInterval)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return found, fmt.Errorf("no attempt was made yet; tandem webhooks log %s will tell of it", shellQuoted(args[0]))
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
		return fmt.Errorf("it was not delivered: %s", printable(message.Reason))
	}
	text := "Delivered"
	if message.Note != "" {
		text += ": " + printable(message.Note)
	}
	fmt.Fprintln(out, text+".")
	return nil
}
