import { expect, test } from "bun:test";
import { ConsoleHub, type Viewer } from "./hub.ts";
import { plainLine } from "./lines.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function viewerForTest(): Viewer & { got: string[]; waiting: number } {
  const viewer = {
    got: [] as string[],
    waiting: 0,
    send: (text: string) => void viewer.got.push(text),
    buffered: () => viewer.waiting,
  };
  return viewer;
}

test("every viewer gets the past first and then the output as it comes", () => {
  const hub = new ConsoleHub();
  hub.write(bytes("before\r\n"));
  const [one, two] = [viewerForTest(), viewerForTest()];
  hub.add(one);
  hub.write(bytes("between\r\n"));
  hub.add(two);
  hub.write(bytes("after\r\n"));
  hub.remove(one);
  hub.write(bytes("later\r\n"));
  expect(one.got).toEqual(["before\r\n", "between\r\n", "after\r\n"]);
  expect(two.got).toEqual(["before\r\nbetween\r\n", "after\r\n", "later\r\n"]);
});

test("the past is bounded, however the output is cut", () => {
  const hub = new ConsoleHub({ scrollback: 10, viewerBytes: 100, viewers: 2 });
  for (const chunk of ["abc", "defgh", "ij", "x".repeat(50), "klm"]) hub.write(bytes(chunk));
  const viewer = viewerForTest();
  hub.add(viewer);
  expect(viewer.got).toEqual(["klm"]);
});

test("a character that is cut in two between chunks arrives whole", () => {
  const hub = new ConsoleHub();
  const viewer = viewerForTest();
  hub.add(viewer);
  const euro = bytes("€");
  hub.write(euro.subarray(0, 1));
  hub.write(euro.subarray(1));
  expect(viewer.got).toEqual(["€"]);
});

test("a slow viewer misses output and is told so; the others miss nothing", () => {
  const hub = new ConsoleHub({ scrollback: 1000, viewerBytes: 100, viewers: 9 });
  const [slow, quick] = [viewerForTest(), viewerForTest()];
  hub.add(slow);
  hub.add(quick);
  slow.waiting = 101;
  hub.write(bytes("lost"));
  slow.waiting = 80;
  hub.drained(slow);
  hub.write(bytes("lost as well"));
  slow.waiting = 0;
  hub.drained(slow);
  hub.write(bytes("seen"));
  expect(slow.got).toEqual([expect.stringContaining("skipped"), "seen"]);
  expect(quick.got).toEqual(["lost", "lost as well", "seen"]);
});

test("there are only so many viewers", () => {
  const hub = new ConsoleHub({ scrollback: 1000, viewerBytes: 100, viewers: 1 });
  expect(hub.add(viewerForTest())).toBe(true);
  expect(hub.add(viewerForTest())).toBe(false);
});

test("the tail is plain text, and begins anew with each program", () => {
  const hub = new ConsoleHub();
  hub.write(bytes("old\r\n"));
  hub.begin();
  hub.write(bytes("\u001b[1G\u001b[0J> \u001b[3G\u001b[1G[\u001b[32mINFO\u001b[39m]: Done\r\nhalf a li"));
  hub.write(bytes("ne"));
  expect(hub.tail()).toBe("[INFO]: Done\nhalf a line");
  expect(hub.tail(1, 4)).toBe("line");
});

test("waits for a line from now on, or until it is told to stop", async () => {
  const hub = new ConsoleHub();
  hub.write(bytes("Saved the game\n"));
  const stop = new AbortController();
  const found = hub.waitFor(/Saved the game/, stop.signal);
  const missed = hub.waitFor(/never/, stop.signal);
  hub.write(bytes("Saved the "));
  hub.write(bytes("game\n"));
  expect(await found).toBe(true);
  stop.abort();
  expect(await missed).toBe(false);
  expect(await hub.waitFor(/never/, stop.signal)).toBe(false);
});

test("a line is what a person reads of it", () => {
  expect(plainLine("50%\r100%\r")).toBe("100%");
  expect(plainLine("\u001b]0;title\u0007\u001b[1;31mred\u001b[0m")).toBe("red");
});
