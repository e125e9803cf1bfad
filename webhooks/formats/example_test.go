package formats_test

import (
	"fmt"
	"io"
	"time"

	"tandem/webhooks/formats"
)

// A format turns a message into the request of a service, and the service's response into a result.
func ExampleFormat() {
	format, ok := formats.ByName("telegram")
	if !ok {
		panic("no such format")
	}
	target := formats.Target{URL: "https://api.telegram.org/bot1:invented/sendMessage?chat_id=-100200"}
	if err := format.Check(target); err != nil {
		panic(err)
	}
	now := time.Date(2018, 3, 22, 9, 30, 0, 0, time.UTC)
	message := formats.Message{ID: "1", Type: "milestone.delivered", RecordedAt: now, Content: formats.Content{
		Headline: "Nokia delivered <FP4>", State: formats.State{Word: "delivered", Tone: formats.Neutral},
	}}
	request, err := format.Request(message, target, now)
	if err != nil {
		panic(err)
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		panic(err)
	}
	fmt.Println(request.Method, formats.Redact(request.URL.String()))
	fmt.Println(string(body))

	response := `{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":7}}`
	result := format.Result(429, nil, []byte(response), now)
	fmt.Println(result.RateLimited, result.RetryAfter, result.Reason)
	// Output:
	// POST https://api.telegram.org/…/sendMessage
	// {"chat_id":"-100200","text":"<b>Nokia delivered &lt;FP4&gt;</b>\n🔵 delivered","parse_mode":"HTML","link_preview_options":{"is_disabled":true}}
	// true 7s Telegram answered 429: too many messages (Too Many Requests)
}
