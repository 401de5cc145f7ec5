import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isReachable, preparePlace } from "./place.ts";
import { isRoot, refusal } from "./testing/harness.ts";

let base: string;
let home: string;
let sharedRoot: string;
beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), "place-")));
  chmodSync(base, 0o755);
  home = join(base, "closed/home");
  sharedRoot = join(base, "shared");
  mkdirSync(home, { recursive: true });
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const mode = (path: string) => statSync(path).mode & 0o777;

test("an open home holds everything itself; records and logs are the host's own", async () => {
  const place = await preparePlace({ home, sharedRoot });
  expect(place.containers).toBe(join(home, "data/containers"));
  expect([mode(place.records), mode(place.logs)]).toEqual([0o700, 0o700]);
  expect([mode(place.containers), mode(place.agents), mode(place.packages)]).toEqual([0o755, 0o755, 0o755]);
  expect(existsSync(sharedRoot)).toBe(false);
});

test("a home below a closed folder: under root, what agents need lies in the shared root, linked and named", async () => {
  chmodSync(join(base, "closed"), 0o700);
  expect(await isReachable(home)).toBe(false);
  const place = await preparePlace({ home, sharedRoot });
  expect(place.records).toBe(join(home, "containers"));
  expect(place.containers.startsWith(isRoot ? sharedRoot : home)).toBe(true);
  expect(await isReachable(place.containers)).toBe(isRoot);
  expect(lstatSync(join(home, "data")).isSymbolicLink()).toBe(isRoot);
  expect(realpathSync(join(home, "data/containers"))).toBe(place.containers);
  if (isRoot) expect(readFileSync(join(place.containers, "../origin"), "utf8")).toStartWith(`${home}\n`);
});

test("the same home gets the same place again, also when it is open by then or the shared root was emptied", async () => {
  chmodSync(join(base, "closed"), 0o700);
  const first = await preparePlace({ home, sharedRoot });
  expect(await preparePlace({ home, sharedRoot })).toEqual(first);
  chmodSync(join(base, "closed"), 0o755);
  expect(await preparePlace({ home, sharedRoot })).toEqual(first);
  rmSync(sharedRoot, { recursive: true, force: true });
  expect(await preparePlace({ home, sharedRoot })).toEqual(first);
});

test("two homes never share a place", async () => {
  chmodSync(join(base, "closed"), 0o700);
  const other = join(base, "closed/other");
  const [one, two] = [
    await preparePlace({ home, sharedRoot }),
    await preparePlace({ home: other, sharedRoot }),
  ];
  expect(one.containers).not.toBe(two.containers);
});

test("a package folder of its own is used where agents can reach it, and linked to one that they can elsewhere", async () => {
  const open = join(base, "packages");
  expect((await preparePlace({ home, sharedRoot, packages: open })).packages).toBe(open);
  chmodSync(join(base, "closed"), 0o700);
  const closed = join(base, "closed/packages");
  const { packages } = await preparePlace({
    home: join(base, "closed/second"),
    sharedRoot,
    packages: closed,
  });
  expect(realpathSync(closed)).toBe(packages);
  expect(await isReachable(packages)).toBe(isRoot);
});

test("containers that lie in a home which was closed afterwards are never hidden by new ones", async () => {
  await preparePlace({ home, sharedRoot });
  chmodSync(join(base, "closed"), 0o700);
  const outcome = await refusal(preparePlace({ home, sharedRoot }).then(() => Promise.reject("prepared")));
  if (isRoot) expect(String(outcome)).toContain("is in the way");
  else expect(outcome).toBe("prepared");
});
