package formats_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/webhooks/formats"
	"tandem/webhooks/webhooktest"
)

var update = flag.Bool("update", false, "rewrite the golden files and the renderings; check the diff")

var now = time.Date(2018, 3, 22, 9, 30, 0, 0, time.UTC)

// secret is the example of the Standard Webhooks specification.
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// targets are invented addresses and secrets, one for each format.
var targets = map[string]formats.Target{
	"standard":    {URL: "https://hooks.example.com/in/7f3a", Secrets: []string{secret}},
	"cloudevents": {URL: "https://hooks.example.com/in/7f3a", Secrets: []string{secret}},
	"slack":       {URL: "https://hooks.slack.com/services/T00/B00/invented"},
	"teams":       {URL: "https://prod-1.westeurope.logic.azure.com/workflows/0a1b/triggers/manual/paths/invoke?api-version=2016-06-01&sig=invented"},
	"feishu":      {URL: "https://open.feishu.cn/open-apis/bot/v2/hook/0a1b-invented", Secrets: []string{"invented"}},
	"lark":        {URL: "https://open.larksuite.com/open-apis/bot/v2/hook/0a1b-invented", Secrets: []string{"invented"}},
	"dingtalk":    {URL: "https://oapi.dingtalk.com/robot/send?access_token=invented", Secrets: []string{"SECinvented"}},
	"wecom":       {URL: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=invented"},
	"discord":     {URL: "https://discord.com/api/webhooks/1/invented"},
	"mattermost":  {URL: "https://chat.example.com/hooks/invented"},
	"google-chat": {URL: "https://chat.googleapis.com/v1/spaces/S/messages?key=invented&token=invented"},
	"telegram":    {URL: "https://api.telegram.org/bot1:invented/sendMessage?chat_id=-100200"},
	"matrix":      {URL: "https://matrix.example.com/_matrix/client/v3/rooms/%21room:example.com/send/m.room.message", Secrets: []string{"invented"}},
	"rocketchat":  {URL: "https://rocket.example.com/hooks/1/invented"},
	"zulip":       {URL: "https://zulip.example.com/api/v1/messages?to=fp4", Secrets: []string{"tandem-bot@example.com:invented"}},
}

func testMessage(content formats.Content) formats.Message {
	message := formats.Message{ID: "5d3f0c1e9a7b48d2a6c4e1f0b2d3a495", Type: "milestone.rejected", RecordedAt: now.Add(-time.Second), Content: content}
	sentence, err := json.Marshal(content.Headline)
	if err != nil {
		panic(err)
	}
	message.Body = []byte(`{"type":"milestone.rejected","timestamp":"2018-03-22T09:29:59Z","data":{"id":"` + message.ID + `",` +
		`"agreement":"nokia-xiaomi-2017","project":"ip-routing-fp4","milestone":{"id":"fp4-field-trial","title":"FP4 field trial"},` +
		`"sentence":` + string(sentence) + `}}`)
	return message
}

const exampleLink = "https://tandem.example.com/a/nokia-xiaomi-2017/p/ip-routing-fp4/m/fp4-field-trial"

// examples are the messages of the golden files.
func examples() map[string]formats.Content {
	return map[string]formats.Content{
		"event": {
			Headline: "[IP routing on FP4] Xiaomi rejected delivery 1 of “FP4 field trial”: throughput 12% under the criterion",
			State:    formats.State{Word: "in progress, at risk", Tone: formats.Warning},
			Facts:    []formats.Fact{{"Due", "30 March → 30 April 2018"}, {"Owner", "Nokia"}, {"Changed by", "Xiaomi"}, {"Reason", "Test log missing"}},
			Link:     exampleLink, LinkText: "Open in Tandem", Thread: "FP4 field trial", Language: "en",
		},
		"digest": {
			Headline: "3 changes in “Nokia–Xiaomi 2017”", State: formats.State{Word: "summary", Tone: formats.Neutral},
			DigestLines: []string{
				"[IP routing on FP4] Nokia started work on “FP4 field trial”",
				"[IP routing on FP4] Nokia delivered “FP4 field trial” (delivery 1), dated 15 March 2018",
				"[Data-centre fabric] Xiaomi accepted delivery 2 of “Fabric lab test”",
			},
			Link: "https://tandem.example.com/a/nokia-xiaomi-2017", LinkText: "Open in Tandem", Thread: "Nokia–Xiaomi 2017", Language: "en",
		},
		"chinese": {
			Headline: "【FP4 IP 路由】小米对里程碑“FP4 现场试验”的第 1 次交付验收不通过，理由：吞吐量比标准低 12%",
			State:    formats.State{Word: "进行中", Tone: formats.Warning},
			Facts:    []formats.Fact{{"截止日期", "2018年3月30日 → 2018年4月30日"}, {"负责方", "诺基亚"}, {"变更方", "小米"}},
			Link:     exampleLink, LinkText: "在 Tandem 中打开", Thread: "FP4 现场试验", Language: "zh",
		},
		"hostile": {
			Headline: hostile, State: formats.State{Word: "accepted", Tone: formats.Good},
			Facts: []formats.Fact{{"Reason", hostile}, {"Note", strings.Repeat(`"\<&`, 3000)}},
			Link:  `https://tandem.example.com/a?x=1&y="><script>(1)</script>`, LinkText: "Open ](https://evil.example) in Tandem",
			Thread: "@**all** " + strings.Repeat("长", 100), Language: "en", DigestLines: []string{hostile, "# one", strings.Repeat("# 标题 ", 500)},
		},
	}
}

// hostile is user text with the markup, mentions and control characters of all services.
const hostile = "<!channel> <!here|x> <@U1> <at id=all></at> <@all> <users/all> @all @here @everyone ＠channel @room @**all** @_**x|1** " +
	"**bold** _it_ ~~s~~ `code` ```\nblock\n``` [link](https://evil.example) ![](https://evil.example/x.png) # h > q | t | $x$ " +
	"<a href=\"https://evil.example\">x</a> <font color=red>x</font> <script>alert(1)</script> &lt;b&gt; :smile: \\*x\\* " +
	"</b></at>\"}]}{\"text\":\"x \u202edlrow\u202c \u0000\u0007 \xff e\u0301 👩‍👩‍👧 \u2028 \r\n\r\n# h\n- l\n1. l\n~town #tag /me"

// formatRequest returns the format's request and its body.
func formatRequest(t require.TestingT, format formats.Format, message formats.Message, target formats.Target) (*http.Request, []byte) {
	request, err := format.Request(message, target, now)
	require.NoError(t, err)
	body, err := io.ReadAll(request.Body)
	require.NoError(t, err)
	request.Body = io.NopCloser(bytes.NewReader(body))
	return request, body
}

// exchangeWithFake sends a request to a fake, and returns the format's interpretation of the response.
func exchangeWithFake(t require.TestingT, format formats.Format, fake *webhooktest.Fake, request *http.Request) formats.Result {
	recorder := httptest.NewRecorder()
	fake.ServeHTTP(recorder, request.WithContext(context.Background()))
	body, err := io.ReadAll(recorder.Result().Body)
	require.NoError(t, err)
	return format.Result(recorder.Code, recorder.Header(), body, now)
}

// knownSecrets returns the secrets that the fake of a service accepts.
func knownSecrets(name string, target formats.Target) webhooktest.Option {
	switch name {
	case "telegram":
		return webhooktest.Secrets("1:invented")
	case "wecom":
		return webhooktest.Secrets("invented")
	}
	return webhooktest.Secrets(target.Secrets...)
}

func endpoint(format formats.Format, options ...webhooktest.Option) *webhooktest.Fake {
	clock := webhooktest.Clock(func() time.Time { return now })
	return webhooktest.NewFake(format.Name(), append([]webhooktest.Option{knownSecrets(format.Name(), targets[format.Name()]), clock}, options...)...)
}

func TestGolden(t *testing.T) {
	for _, format := range formats.All() {
		for example, content := range examples() {
			request, body := formatRequest(t, format, testMessage(content), targets[format.Name()])
			golden := map[string]any{"method": request.Method, "url": request.URL.String(), "header": request.Header, "body": json.RawMessage(body)}
			if format.Name() == "standard" || format.Name() == "cloudevents" || !json.Valid(body) {
				golden["body"] = string(body) // byte for byte: it is signed, or a form
			}
			var buffer bytes.Buffer
			encoder := json.NewEncoder(&buffer)
			encoder.SetEscapeHTML(false)
			encoder.SetIndent("", "  ")
			require.NoError(t, encoder.Encode(golden))
			compare(t, filepath.Join("testdata", "golden", format.Name()+"."+example+".json"), buffer.Bytes())
		}
	}
}

// TestRendered compares the messages as each service displays them: buttons are in [brackets], and → precedes the
// target of a link.
func TestRendered(t *testing.T) {
	for _, format := range formats.All() {
		var text strings.Builder
		for _, example := range []string{"event", "digest", "chinese", "hostile"} {
			request, _ := formatRequest(t, format, testMessage(examples()[example]), targets[format.Name()])
			fake := endpoint(format)
			require.Truef(t, exchangeWithFake(t, format, fake, request).OK, "%s %s", format.Name(), example)
			text.WriteString("--- " + example + "\n" + fake.Messages()[0].Text() + "\n")
		}
		compare(t, filepath.Join("testdata", "rendered", format.Name()+".txt"), []byte(text.String()))
	}
}

func compare(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, got, 0o600))
		return
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "rewrite it with go test ./webhooks/formats -update")
	require.Equal(t, string(want), string(got), file)
}
