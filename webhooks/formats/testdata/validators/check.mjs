// Reads the golden messages of ../golden with the validators of package.json and says what they think of them. It
// ends with status 1 if one refuses something, or takes something that it must refuse.
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { EmbedBuilder, embedLength } from "@discordjs/builders";
import { Webhook } from "standardwebhooks";
import TelegramServer from "telegram-test-api";

const AdaptiveCards = createRequire(import.meta.url)("adaptivecards/dist/adaptivecards.js");
const golden = new URL("../golden/", import.meta.url);
const read = (format) => readdirSync(golden).filter((f) => f.startsWith(format + ".")).sort()
  .map((f) => ({ name: f, ...JSON.parse(readFileSync(new URL(f, golden), "utf8")) }));

let failures = 0;
async function check(name, what) {
  try {
    await what();
    console.log("ok   " + name);
  } catch (e) {
    failures++;
    console.log("FAIL " + name + ": " + (e.stack ?? e));
  }
}
function assert(condition, why) {
  if (!condition) throw new Error(why);
}
function mustThrow(what, why) {
  try { what(); } catch { return; }
  throw new Error(why);
}

// standardwebhooks: the signature. Its clock is the machine's, so it is set to the golden messages' time.
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
for (const format of ["standard", "cloudevents"]) {
  for (const m of read(format)) {
    await check("standardwebhooks " + m.name, () => {
      const headers = Object.fromEntries(Object.entries(m.header).map(([k, v]) => [k.toLowerCase(), v[0]]));
      const now = Date.now;
      Date.now = () => Number(headers["webhook-timestamp"]) * 1000;
      const RealDate = globalThis.Date;
      globalThis.Date = class extends RealDate {
        constructor(...a) { a.length ? super(...a) : super(RealDate.now()); }
      };
      try {
        new Webhook(secret).verify(m.body, headers);
        const rotated = { ...headers, "webhook-signature": "v1,AAAA " + headers["webhook-signature"] };
        new Webhook(secret).verify(m.body, rotated);
        mustThrow(() => new Webhook(secret).verify(m.body + " ", headers), "a changed body was taken");
      } finally {
        globalThis.Date = RealDate;
        Date.now = now;
      }
    });
  }
}

// adaptivecards: every element and property of the card is known to version 1.4, and the texts arrive.
for (const m of read("teams")) {
  await check("adaptivecards " + m.name, () => {
    const parse = (content) => {
      const card = new AdaptiveCards.AdaptiveCard();
      const context = new AdaptiveCards.SerializationContext(AdaptiveCards.Versions.v1_4);
      card.parse(content, context);
      const events = [];
      for (let i = 0; i < context.eventCount; i++) events.push(context.getEventAt(i).message);
      const results = card.validateProperties();
      for (const f of results.validationEvents) events.push(f.message);
      return { card, events };
    };
    const content = m.body.attachments[0].content;
    const { card, events } = parse(content);
    assert(events.length === 0, events.join("; "));
    assert(card.getItemCount() === content.body.length, "an element was dropped");
    for (let i = 0; i < card.getItemCount(); i++) {
      const block = card.getItemAt(i);
      assert(block.getInlineCount() === content.body[i].inlines.length, "a run was dropped");
      for (let j = 0; j < block.getInlineCount(); j++) {
        assert(block.getInlineAt(j).text === content.body[i].inlines[j].text, "a text changed");
      }
    }
    const bad = structuredClone(content);
    bad.body.push({ type: "Nonsense" });
    assert(parse(bad).events.length > 0, "an unknown element was taken");
  });
}

// discord: the builders' setters and the predicate on the whole know Discord's limits.
for (const m of read("discord")) {
  await check("discord builders " + m.name, () => {
    for (const e of m.body.embeds) {
      const build = (e) => {
        const b = new EmbedBuilder().setTitle(e.title).setDescription(e.description).setColor(e.color);
        if (e.url) b.setURL(e.url);
        if (e.fields) b.setFields(...e.fields);
        return b.toJSON();
      };
      assert(JSON.stringify(build(e).fields ?? []) === JSON.stringify(e.fields ?? []), "the fields changed");
      mustThrow(() => build({ ...e, title: "x".repeat(257) }), "a title of 257 was taken");
      assert(embedLength(e) <= 6000, "more than 6000 in all");
    }
  });
}

// telegram-test-api: an emulator of the server. It keeps what a bot sends; the limits are not its.
await check("telegram-test-api", async () => {
  const server = new TelegramServer({ port: 0, host: "127.0.0.1" });
  server.config.port = 20000 + (process.pid % 20000);
  server.ApiURL = `http://127.0.0.1:${server.config.port}`;
  await server.start();
  try {
    const token = "1:invented";
    for (const m of read("telegram")) {
      const answer = await fetch(`${server.ApiURL}/bot${token}/sendMessage`, {
        method: m.method, headers: { "Content-Type": m.header["Content-Type"][0] }, body: JSON.stringify(m.body),
      });
      const said = await answer.json();
      assert(answer.status === 200 && said.ok === true, m.name + ": " + JSON.stringify(said));
    }
    const kept = server.getUpdatesHistory(token);
    const texts = kept.map((u) => u.message.text);
    for (const m of read("telegram")) assert(texts.includes(m.body.text), m.name + " was not kept as sent");
  } finally {
    await server.stop();
  }
});

console.log(failures ? failures + " failed" : "all validators take all golden messages");
process.exit(failures ? 1 : 0);
