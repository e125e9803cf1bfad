package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	api "tandem/http"
)

// lookEvery is how often a test is looked for.
const lookEvery = 250 * time.Millisecond

func testWebhookCommand(stdout io.Writer) *cobra.Command {
	var wait time.Duration
	c := webhookCommand(&cobra.Command{
		Use: "test WEBHOOK", Short: "Send a message that says it is a test, and tell what became of it", Args: cobra.ExactArgs(1),
		Long: "Send a message that says it is a test, on the way that all messages take, and tell what became of it.\n" +
			"The exit status is 0 only when it was delivered, or nobody waited.",
	}, func(ctx context.Context, r *remote, path string, args []string) error {
		before, err := tests(ctx, r, path, args)
		if err != nil {
			return err
		}
		if _, err := r.ask(ctx, "POST", path+"/test", nil, webhookName(args)); err != nil || wait <= 0 {
			return asked(stdout, args, err)
		}
		waiting, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		d, err := attempted(waiting, r, path, args, before)
		if err != nil {
			return err
		}
		return becameOfTest(stdout, d)
	})
	c.Flags().DurationVar(&wait, "wait", 15*time.Second, "how long to wait for the first attempt; 0: not at all")
	return c
}

// tests returns the tests that the deliveries remember.
func tests(ctx context.Context, r *remote, path string, args []string) ([]api.WebhookDelivery, error) {
	var list api.DeliveryList
	_, err := r.get(ctx, path+"/deliveries?limit=200", &list, webhookName(args))
	return slices.DeleteFunc(list.Deliveries, func(d api.WebhookDelivery) bool { return d.Type != "webhook.test" }), err
}

// attempted waits for a test that was not there before.
func attempted(ctx context.Context, r *remote, path string, args []string, before []api.WebhookDelivery) (found api.WebhookDelivery, err error) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return found, fmt.Errorf("no attempt was made yet; tandem webhooks log %s will tell of it", quoted(args[0]))
		case <-look.C:
		}
		now, err := tests(ctx, r, path, args)
		if err != nil && ctx.Err() == nil {
			return found, err
		}
		for _, d := range now {
			if !slices.ContainsFunc(before, func(b api.WebhookDelivery) bool { return b.ID == d.ID }) {
				return d, nil
			}
		}
	}
}

func becameOfTest(out io.Writer, d api.WebhookDelivery) error {
	if d.State != "delivered" {
		return fmt.Errorf("it was not delivered: %s", printable(d.Reason))
	}
	text := "Delivered"
	if d.Note != "" {
		text += ": " + printable(d.Note)
	}
	fmt.Fprintln(out, text+".")
	return nil
}
