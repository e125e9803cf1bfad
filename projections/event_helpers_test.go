package projections_test

import (
	"context"
	"errors"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
	"tandem/projections/feed"
	"tandem/projections/sentences"
)

// readFeed returns a page of a feed as the HTTP API does; false if the viewer may not see the agreement or milestone of the scope.
func readFeed(ctx context.Context, model *projections.ReadModel, viewer projections.Viewer, scope projections.EventScope, after string, limit int) (api.Events, bool, error) {
	reader, query := feed.NewReader(model), feed.EventQuery{EventScope: scope}
	if _, err := reader.Next(ctx, viewer, feed.Cursor{}, query, 0); errors.Is(err, feed.ErrNotVisible) {
		return api.Events{}, false, nil
	}
	cursor, err := feed.ParseCursor(after)
	if err != nil {
		return api.Events{}, true, err
	}
	page, err := reader.Next(ctx, viewer, cursor, query, limit)
	if err != nil {
		return api.Events{}, true, err
	}
	position := page.Position()
	events, err := model.RenderEvents(viewer, page.Events, sentences.English)
	return api.Events{Events: events, NextCursor: &position}, true, err
}

func (i *runningModel) agreementEvents(ctx context.Context, viewer projections.Viewer, agreement domain.AgreementID, after string, limit int) (api.Events, bool, error) {
	return readFeed(ctx, i.ReadModel, viewer, projections.EventScope{Agreement: agreement}, after, limit)
}

func (i *runningModel) history(ctx context.Context, viewer projections.Viewer, milestone domain.MilestoneRef, after string, limit int) (api.Events, bool, error) {
	return readFeed(ctx, i.ReadModel, viewer, projections.EventScope{Milestone: milestone}, after, limit)
}

func (i *runningModel) partnerEvents(ctx context.Context, viewer projections.Viewer, after string, limit int) (api.Events, error) {
	events, _, err := readFeed(ctx, i.ReadModel, viewer, projections.EventScope{}, after, limit)
	return events, err
}
