// How a relying party speaks with the test: JSON by the line, one in for each one out.
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

export const hear = async () => JSON.parse((await lines.next()).value);

/** Tell the test something and wait for what it answers. */
export const ask = async (message) => {
  tell(message);
  return hear();
};

export const tell = (message) => console.log(JSON.stringify(message));
