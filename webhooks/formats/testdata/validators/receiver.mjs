// Sends the golden messages of the standard format to Debian's webhook (apt-get install webhook), which hands them to
// verify.sh. Run it with: task validate-webhooks. WEBHOOK names the program where it is not in the path.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const golden = new URL("../golden/", import.meta.url);
const dir = mkdtempSync(join(tmpdir(), "receiver-"));
const port = 20000 + (process.pid % 20000);
const header = (name) => ({ source: "header", name });
writeFileSync(join(dir, "hooks.json"), JSON.stringify([{
  id: "tandem", "execute-command": fileURLToPath(new URL("verify.sh", import.meta.url)), "http-methods": ["POST"],
  "include-command-output-in-response": true,
  "pass-arguments-to-command": [
    header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"), { source: "raw-request-body" },
  ],
  "trigger-rule": { match: { type: "regex", regex: "^v1,", parameter: header("webhook-signature") } },
  "trigger-rule-mismatch-http-response-code": 401,
}]));
const server = spawn(process.env.WEBHOOK ?? "webhook", ["-hooks", join(dir, "hooks.json"), "-ip", "127.0.0.1", "-port", String(port), "-verbose"], {
  env: { ...process.env, SECRET: "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }, stdio: ["ignore", "pipe", "pipe"],
});
const listening = new Promise((resolve, reject) => {
  server.on("error", reject);
  server.on("exit", () => reject(new Error("webhook ended")));
  for (const out of [server.stdout, server.stderr]) out.on("data", (d) => { if (String(d).includes("serving hooks")) resolve(); });
});
let failures = 0;
try {
  await listening;
  for (const file of readdirSync(golden).filter((f) => f.startsWith("standard.")).sort()) {
    const m = JSON.parse(readFileSync(new URL(file, golden), "utf8"));
    const headers = Object.fromEntries(Object.entries(m.header).map(([k, v]) => [k, v[0]]));
    for (const [what, body, sent, want] of [
      ["as it is", m.body, headers, true],
      ["while the secret is rotated", m.body, { ...headers, "Webhook-Signature": "v1,AAAA " + headers["Webhook-Signature"] }, true],
      ["with another body", m.body.replace("rejected", "accepted"), headers, false],
      ["with another time", m.body, { ...headers, "Webhook-Timestamp": "1521711001" }, false],
      ["unsigned", m.body, { ...headers, "Webhook-Signature": "" }, false],
    ]) {
      const answer = await fetch(`http://127.0.0.1:${port}/hooks/tandem`, { method: "POST", headers: sent, body });
      const took = answer.status === 200 && (await answer.text()).includes("verified");
      if (took !== want) failures++;
      console.log((took === want ? "ok   " : "FAIL ") + `webhook ${file} ${what}: ${took ? "taken" : "refused"} (${answer.status})`);
    }
  }
} finally {
  server.removeAllListeners("exit");
  server.kill();
  rmSync(dir, { recursive: true });
}
process.exit(failures ? 1 : 0);
