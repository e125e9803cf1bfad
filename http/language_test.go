package http

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHistoryInThreeLanguages reads the history of a moved forecast in each feed and language; the default is English
// regardless of the browser's languages.
func TestHistoryInThreeLanguages(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	operator := e.As("operator")
	for id, name := range map[string]string{"nokia": "Nokia", "xiaomi": "Xiaomi"} {
		operator.POST("/v1/partners", object{"id": id, "name": name, "country": "FI", "time_zone": "Europe/Helsinki"}).Want(201)
		e.tokens[id] = operator.POST("/v1/partners/"+id+"/tokens", object{"name": "Manager", "role": "manager"}).Want(201).text("token")
	}
	const pact, milestone = "/v1/agreements/pact", "/v1/agreements/pact/projects/p/milestones/fp4"
	both := []string{"nokia", "xiaomi"}
	operator.POST("/v1/agreements", object{
		"id": "pact", "title": "Pact", "parties": both, "effective_on": "2017-07-05", "acceptance_days": 10, "deemed_acceptance": false, "forecast_tolerance_days": 7,
	}).Want(201)
	nokia, xiaomi := e.As("nokia"), e.As("xiaomi")
	nokia.POST(pact+"/sign", nil).Want(200)
	xiaomi.POST(pact+"/sign", nil).Want(200)
	nokia.POST(pact+"/projects", object{"id": "p", "title": "P", "stage": "committed", "lead": "nokia", "participants": both}).Want(201)
	xiaomi.POST(pact+"/projects/p/commit", nil).Want(200)
	nokia.POST(pact+"/projects/p/milestones", object{"id": "fp4", "title": "FP4 field trial", "owner": "nokia", "due_on": "2018-03-30"}).Want(201)
	nokia.POST(milestone+"/forecast", object{"on": "2018-04-15"}).Want(200)
	nokia.POST(milestone+"/forecast", object{"on": "2018-04-30", "reason": "optics late"}).Want(200)

	for language, sentence := range map[string]string{
		"":             "Nokia moved its forecast for “FP4 field trial” from 15 to 30 April 2018: optics late",
		"?language=en": "Nokia moved its forecast for “FP4 field trial” from 15 to 30 April 2018: optics late",
		"?language=zh": "Nokia 将里程碑“FP4 field trial”的预测完成日期由 2018年4月15日改为 2018年4月30日，理由：optics late",
		"?language=fi": "Nokia siirsi ennustettaan välitavoitteen ”FP4 field trial” valmistumisesta: 30.4.2018 (aiemmin 15.4.2018) – optics late",
	} {
		var told []any
		for _, path := range []string{milestone + "/history", pact + "/events", "/v1/partners/xiaomi/events"} {
			events := xiaomi.With("Accept-Language", "fi").GET(path + language).Want(200).list("events")
			told = append(told, events[len(events)-1]["sentence"])
		}
		stream := xiaomi.stream(t, pact+"/events"+language)
		live := stream.take(len(xiaomi.GET(pact + "/events").list("events")))
		told = append(told, live[len(live)-1].data["sentence"])
		require.Equal(t, []any{sentence, sentence, sentence, sentence}, told)
	}
	xiaomi.GET(milestone+"/history?language=sv").Refused(422, "invalid_field").Names("language")
	xiaomi.With("Accept", "text/event-stream").GET(pact+"/events?language=sv").Refused(422, "invalid_field").Names("language")
}
