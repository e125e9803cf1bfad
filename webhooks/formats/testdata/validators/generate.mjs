// Writes the golden Slack messages as TypeScript literals, so that the compiler holds them against Slack's types:
// an unknown field, a missing one and a wrong type are errors.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

const golden = new URL("../golden/", import.meta.url);
let text = 'import type { KnownBlock } from "@slack/types";\n';
for (const [n, file] of readdirSync(golden).filter((f) => f.startsWith("slack.")).sort().entries()) {
  const { blocks } = JSON.parse(readFileSync(new URL(file, golden), "utf8")).body;
  text += `// ${file}\nexport const message${n}: KnownBlock[] = ${JSON.stringify(blocks, null, 1)};\n`;
}
writeFileSync(new URL("slack.generated.ts", import.meta.url), text);
