package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"tandem/api"
	"tandem/domain"
)

const missingMilestones = "milestones that are visible to this token"

func milestonesCommand(stdout io.Writer) *cobra.Command {
	var open, asJSON bool
	cmd := memberCommand(&cobra.Command{
		Use: "milestones", Short: "List the milestones that the partner can see, sorted by due date", Args: cobra.NoArgs,
	}, func(ctx context.Context, client *apiClient, _ []string) error {
		home, err := client.partnerPath(ctx)
		if err != nil {
			return err
		}
		path := home + "/milestones"
		if asJSON {
			answer, err := client.get(ctx, path+"?limit=200", &api.Milestones{}, missingMilestones)
			if err == nil {
				fmt.Fprintf(stdout, "%s\n", answer)
			}
			return err
		}
		all, err := fetchMilestones(ctx, client, path)
		if err != nil {
			return err
		}
		printMilestones(stdout, all, open)
		return nil
	})
	cmd.Flags().BoolVar(&open, "open", false, "only milestones that are not final")
	jsonFlag(cmd, &asJSON)
	return cmd
}

// fetchMilestones returns the milestones of all pages.
func fetchMilestones(ctx context.Context, client *apiClient, path string) (all []api.Milestone, err error) {
	for cursor := ""; ; {
		var page api.Milestones
		query := url.Values{"limit": {"200"}}
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		if _, err := client.get(ctx, path+"?"+query.Encode(), &page, missingMilestones); err != nil {
			return nil, err
		}
		all = append(all, page.Milestones...)
		if page.NextCursor == nil {
			return all, nil
		}
		cursor = *page.NextCursor
	}
}

func printMilestones(out io.Writer, list []api.Milestone, open bool) {
	tbl := newTable(out)
	tbl.AppendHeader(table.Row{"Due", "Milestone", "Project", "Owner", "State", "Forecast", "Health"})
	for _, milestone := range list {
		if open && milestone.State.Final() {
			continue
		}
		tbl.AppendRow(table.Row{
			milestone.DueOn.String(), printable(milestone.Title), milestone.Project, milestone.Owner, milestoneState(milestone),
			ownForecast(milestone), milestoneHealth(milestone),
		})
	}
	if tbl.Length() == 0 {
		fmt.Fprintln(out, "There are no such milestones.")
		return
	}
	tbl.Render()
}

func milestoneState(milestone api.Milestone) string {
	state := strings.ReplaceAll(string(milestone.State), "_", " ")
	if milestone.Overdue {
		state += ", overdue"
	}
	return state
}

// ownForecast returns the owner's forecast of an open milestone.
func ownForecast(milestone api.Milestone) string {
	forecast, ok := milestone.Forecasts[milestone.Owner]
	if !ok || milestone.State.Final() {
		return ""
	}
	return forecast.String()
}

// milestoneHealth returns the words of the health that sentences use as well.
func milestoneHealth(milestone api.Milestone) string {
	if milestone.Health == nil {
		return ""
	}
	return map[domain.Health]string{domain.Green: "on track", domain.Amber: "at risk", domain.Red: "off track"}[*milestone.Health]
}
