package webhooks_test

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

	"tandem/webhooks"
	"tandem/webhooks/webhooktest"
)

var update = flag.Bool("update", false, "rewrite the golden files and the renderings; read the diff")

var now = time.Date(2018, 3, 22, 9, 30, 0, 0, time.UTC)

// secret is the example of the Standard Webhooks specification.
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// targets are an address and a secret of each format, all invented.
var targets = map[string]webhooks.Target{
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

func delivery(m webhooks.Message) webhooks.Delivery {
	d := webhooks.Delivery{ID: "5d3f0c1e9a7b48d2a6c4e1f0b2d3a495", Type: "milestone.rejected", At: now.Add(-time.Second), Message: m}
	sentence, err := json.Marshal(m.Headline)
	if err != nil {
		panic(err)
	}
	d.Body = []byte(`{"type":"milestone.rejected","timestamp":"2018-03-22T09:29:59Z","data":{"id":"` + d.ID + `",` +
		`"agreement":"nokia-xiaomi-2017","project":"ip-routing-fp4","milestone":{"id":"fp4-field-trial","title":"FP4 field trial"},` +
		`"sentence":` + string(sentence) + `}}`)
	return d
}

const address = "https://tandem.example.com/a/nokia-xiaomi-2017/p/ip-routing-fp4/m/fp4-field-trial"

// examples are the messages of the golden files.
func examples() map[string]webhooks.Message {
	return map[string]webhooks.Message{
		"event": {
			Headline: "[IP routing on FP4] Xiaomi rejected delivery 1 of FP4 field trial: throughput 12 % under the criterion",
			State:    webhooks.State{Word: "in progress, at risk", Tone: webhooks.Warning},
			Facts:    []webhooks.Fact{{"Due", "30 March → 30 April 2018"}, {"Owner", "Nokia"}, {"Changed by", "Xiaomi"}, {"Reason", "Test log missing"}},
			Link:     address, LinkText: "Open in Tandem", Thread: "FP4 field trial", Language: "en",
		},
		"digest": {
			Headline: "3 changes in Nokia–Xiaomi 2017", State: webhooks.State{Word: "digest", Tone: webhooks.Neutral},
			Digest: []string{
				"[IP routing on FP4] Nokia started work on FP4 field trial",
				"[IP routing on FP4] Nokia delivered FP4 field trial (delivery 1) as of 15 March 2018",
				"[Data-centre fabric] Xiaomi accepted delivery 2 of Fabric lab test",
			},
			Link: "https://tandem.example.com/a/nokia-xiaomi-2017", LinkText: "Open in Tandem", Thread: "Nokia–Xiaomi 2017", Language: "en",
		},
		"chinese": {
			Headline: "【FP4 IP 路由】小米拒绝了“FP4 现场试验”的第1次交付：吞吐量比标准低 12%",
			State:    webhooks.State{Word: "进行中", Tone: webhooks.Warning},
			Facts:    []webhooks.Fact{{"截止日期", "2018年3月30日 → 2018年4月30日"}, {"负责方", "诺基亚"}, {"操作方", "小米"}},
			Link:     address, LinkText: "在 Tandem 中打开", Thread: "FP4 现场试验", Language: "zh",
		},
		"hostile": {
			Headline: hostile, State: webhooks.State{Word: "accepted", Tone: webhooks.Good},
			Facts: []webhooks.Fact{{"Reason", hostile}, {"Note", strings.Repeat(`"\<&`, 3000)}},
			Link:  `https://tandem.example.com/a?x=1&y="><script>(1)</script>`, LinkText: "Open ](https://evil.example) in Tandem",
			Thread: "@**all** " + strings.Repeat("长", 100), Language: "en", Digest: []string{hostile, "# one", strings.Repeat("# 标题 ", 500)},
		},
	}
}

// hostile is what somebody could type to be seen, or heard, by everybody.
const hostile = "<!channel> <!here|x> <@U1> <at id=all></at> <@all> <users/all> @all @here @everyone ＠channel @room @**all** @_**x|1** " +
	"**bold** _it_ ~~s~~ `code` ```\nblock\n``` [link](https://evil.example) ![](https://evil.example/x.png) # h > q | t | $x$ " +
	"<a href=\"https://evil.example\">x</a> <font color=red>x</font> <script>alert(1)</script> &lt;b&gt; :smile: \\*x\\* " +
	"</b></at>\"}]}{\"text\":\"x \u202edlrow\u202c \u0000\u0007 \xff e\u0301 👩‍👩‍👧 \u2028 \r\n\r\n# h\n- l\n1. l\n~town #tag /me"

// sent returns the format's request and its body.
func sent(t require.TestingT, f webhooks.Format, d webhooks.Delivery, to webhooks.Target) (*http.Request, []byte) {
	r, err := f.Request(d, to, now)
	require.NoError(t, err)
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return r, body
}

// through gives a request to a fake, and what it answered to the format.
func through(t require.TestingT, f webhooks.Format, fake *webhooktest.Fake, r *http.Request) webhooks.Result {
	w := httptest.NewRecorder()
	fake.ServeHTTP(w, r.WithContext(context.Background()))
	body, err := io.ReadAll(w.Result().Body)
	require.NoError(t, err)
	return f.Result(w.Code, w.Header(), body, now)
}

// known is what each tool's endpoint knows.
func known(name string, to webhooks.Target) webhooktest.Option {
	switch name {
	case "telegram":
		return webhooktest.Secrets("1:invented")
	case "wecom":
		return webhooktest.Secrets("invented")
	}
	return webhooktest.Secrets(to.Secrets...)
}

func endpoint(f webhooks.Format, options ...webhooktest.Option) *webhooktest.Fake {
	clock := webhooktest.Clock(func() time.Time { return now })
	return webhooktest.Tool(f.Name(), append([]webhooktest.Option{known(f.Name(), targets[f.Name()]), clock}, options...)...)
}

func TestGolden(t *testing.T) {
	for _, f := range webhooks.Formats() {
		for example, m := range examples() {
			r, body := sent(t, f, delivery(m), targets[f.Name()])
			golden := map[string]any{"method": r.Method, "url": r.URL.String(), "header": r.Header, "body": json.RawMessage(body)}
			if f.Name() == "standard" || f.Name() == "cloudevents" || !json.Valid(body) {
				golden["body"] = string(body) // signed, or a form: to the byte
			}
			var b bytes.Buffer
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(false)
			e.SetIndent("", "  ")
			require.NoError(t, e.Encode(golden))
			compare(t, filepath.Join("testdata", "golden", f.Name()+"."+example+".json"), b.Bytes())
		}
	}
}

// The same messages as each tool shows them. In [brackets] are buttons, and → goes to where a link leads.
func TestRendered(t *testing.T) {
	for _, f := range webhooks.Formats() {
		var b strings.Builder
		for _, example := range []string{"event", "digest", "chinese", "hostile"} {
			r, _ := sent(t, f, delivery(examples()[example]), targets[f.Name()])
			fake := endpoint(f)
			require.Truef(t, through(t, f, fake, r).OK, "%s %s", f.Name(), example)
			b.WriteString("--- " + example + "\n" + fake.Messages()[0].Text() + "\n")
		}
		compare(t, filepath.Join("testdata", "rendered", f.Name()+".txt"), []byte(b.String()))
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
	require.NoError(t, err, "rewrite it with go test ./webhooks -update")
	require.Equal(t, string(want), string(got), file)
}
