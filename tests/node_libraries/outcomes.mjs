// Runs a module's `verify`, or the function named third, over the tokens of standard input: a JSON list in, one out.
import { text } from "node:stream/consumers";

const [file, name = "verify"] = process.argv.slice(2);
const module = await import(file);
const outcomes = [];
for (const token of JSON.parse(await text(process.stdin))) {
  try {
    outcomes.push({ value: await module[name](token) });
  } catch (error) {
    outcomes.push({ error: String(error) });
  }
}
console.log(JSON.stringify(outcomes));
