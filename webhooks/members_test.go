package webhooks

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
)

// TestMessagesNameTheMember: messages show the display name of the member who acted, until it is erased. The attempt
// history, which erasure does not reach, never contains it, even if the receiver repeats it.
func TestMessagesNameTheMember(t *testing.T) {
	for _, name := range []string{"Li Na", "李娜", "Märta-Anna O'Hara"} {
		t.Run(name, func(t *testing.T) {
			world := newWorld(t)
			echo := func(w http.ResponseWriter, message receivedMessage) {
				w.Header().Set("X-Echo", name)
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, name+" "+message.Raw)
			}
			programs, chat := newReceiver(t, echo), newReceiver(t, echo)
			hooks := []domain.WebhookRef{world.hook("program", programs.URL), world.hook("chat", chat.URL, slackUnordered)}
			member := domain.MemberRef{Partner: "nokia", Member: "m-li"}
			add := world.request(nokia, domain.AddMember{MemberRef: member, Role: domain.Manager})
			add.Private = []eventlog.KV{{Key: projections.NameKey("nokia", "m-li"), Value: []byte(name)}}
			_, err := world.bus.Do(context.Background(), add)
			require.NoError(t, err)
			world.do(domain.Actor{Partner: "nokia", Member: "m-li", Role: domain.Manager, MaySign: true}, domain.PlanMilestone{
				MilestoneRef: ref("m1"), Plan: domain.Plan{Title: "Title", Owner: "nokia", DueOn: 20180330},
			})
			data := programs.next(t).Body["data"].(map[string]any)
			require.Equal(t, name, data["member_name"])
			require.Contains(t, data["sentence"], name+" (Nokia) planned")
			chat.next(t)

			for _, hook := range hooks {
				attempt := world.attempts(hook, 1)[0]
				stored, err := json.Marshal(attempt)
				require.NoError(t, err)
				require.NotEmpty(t, attempt.RequestBody)
				require.NotEmpty(t, attempt.ResponseBody)
				for _, part := range []string{"Li Na", "李娜", "Anna", "Märta", `M\u00e4rta`, "Hara"} {
					require.NotContains(t, string(stored), part)
				}
			}

			remove := world.request(nokia, domain.RemoveMember{MemberRef: member})
			remove.Private = []eventlog.KV{{Key: projections.NameKey("nokia", "m-li")}}
			_, err = world.bus.Do(context.Background(), remove)
			require.NoError(t, err)
			message, found, err := world.engine.LatestMessage(t.Context(), world.webhook(hooks[0]))
			require.NoError(t, err)
			require.True(t, found)
			require.NotContains(t, string(message.Body), name)
			require.Contains(t, string(message.Body), "Former member (Nokia) planned")
		})
	}
}
