import assert from "node:assert/strict";
import { after, test } from "node:test";
import { sleep, Tabs, type Said } from "../src/tabs.ts";

const made: Tabs[] = [];
const locks = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(navigator), "locks");

function tab(name: string, hear: (said: Said) => void = () => undefined): Tabs {
  const tabs = new Tabs(name, hear);
  made.push(tabs);
  return tabs;
}

async function mostAtOnce(tabs: Tabs[]): Promise<number> {
  let now = 0;
  let most = 0;
  const act = async () => {
    most = Math.max(most, ++now);
    await sleep(5);
    now--;
  };
  await Promise.all(tabs.map((each) => each.exclusively(act)));
  return most;
}

after(() => made.forEach((each) => each.close()));

test("what one tab says the others hear", async () => {
  const heard: Said[] = [];
  tab("a", (said) => heard.push(said));
  tab("b", () => assert.fail("another client's"));
  tab("a").say({ kind: "signed_out" });
  await sleep(20);
  assert.deepEqual(heard, [{ kind: "signed_out" }]);
});

test("a question ends as soon as it is answered, and otherwise soon", async () => {
  const asking = tab("c");
  const begun = performance.now();
  await asking.ask("orders", undefined, () => true);
  assert.ok(performance.now() - begun < 40);
  await asking.ask("orders", undefined, () => false);
  assert.ok(performance.now() - begun < 500);
});

test("acts take turns over the tabs", async () => {
  assert.equal(await mostAtOnce([tab("d"), tab("d"), tab("d")]), 1);
});

test("a failed act lets the next one go on", async () => {
  const one = tab("e");
  await assert.rejects(one.exclusively(() => Promise.reject(new Error("failed"))));
  assert.equal(await one.exclusively(() => Promise.resolve(7)), 7);
});

test("without locks they take turns by word, in one tab and over several", async (t) => {
  Object.defineProperty(navigator, "locks", { value: undefined, configurable: true });
  t.after(() => {
    Reflect.deleteProperty(navigator, "locks");
    assert.ok(locks);
  });
  const one = tab("f");
  assert.equal(await mostAtOnce([one, one, tab("f"), tab("f")]), 1);
  await assert.rejects(one.exclusively(() => Promise.reject(new Error("failed"))));
  assert.equal(await one.exclusively(() => Promise.resolve(7)), 7);
});
