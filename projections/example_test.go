package projections_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"tandem/domain"
	"tandem/projections"
)

// panics fails an example.
type panics struct{}

func (panics) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (panics) FailNow()                          {}

func ExampleReadModel_View() {
	fixture := newFixture(panics{})
	fixture.settle() // nokia, xiaomi, their agreement and a project
	fixture.plan("field-trial", domain.NewDate(2018, 3, 30))
	fixture.do("nokia", domain.MoveForecast{MilestoneRef: milestoneRef("field-trial"), On: domain.NewDate(2018, 4, 15), Private: true})

	model, err := projections.New(projections.Config{
		Log: fixture.log, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- model.Run(ctx) }()
	<-model.Live()

	for _, partner := range []domain.PartnerID{"nokia", "xiaomi", "sony"} {
		_ = model.View(projections.Viewer{Partner: partner}, func(view *projections.View) error {
			milestone, visible := view.Milestone(milestoneRef("field-trial"))
			fmt.Println(partner, visible, milestone.State, "version", milestone.Version, "forecast", milestone.PrivateForecast != nil)
			return nil
		})
	}
	cancel()
	if err := <-ended; err != nil {
		panic(err)
	}
	// Output:
	// nokia true planned version 2 forecast true
	// xiaomi true planned version 1 forecast false
	// sony false  version 0 forecast false
}
