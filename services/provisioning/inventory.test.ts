import { describe, expect, test } from "bun:test";
import { newInstanceId } from "#shared/ids/ids.ts";
import type { HostContainer } from "./adapters/host-driver.ts";
import { compare, type Row } from "./inventory.ts";
import { ownerMark, ownerTag } from "./ownership.ts";

const installation = "i1";
const ranges = [
  { ctype: "game" as const, first: 5000, last: 5999 },
  { ctype: "dev" as const, first: 6000, last: 6999 },
];
const online = [{ node: "a", status: "online" }];

const row = (vmid: number, change: Partial<Row> = {}): Row => ({
  vmid,
  instanceId: newInstanceId(),
  customerId: "acc_1",
  ctype: "game",
  node: "a",
  hostname: `h-${vmid}`,
  state: "live",
  ...change,
});
const foreign = (vmid: number, change: Partial<HostContainer> = {}): HostContainer => ({
  vmid,
  node: "a",
  hostname: "theirs",
  description: "do not touch",
  tags: [],
  memoryMiB: 512,
  status: "stopped",
  ...change,
});
const containerOf = ({ vmid, instanceId }: Row, change: Partial<HostContainer> = {}): HostContainer =>
  foreign(vmid, {
    hostname: `h-${vmid}`,
    description: ownerMark({ installation, instanceId: instanceId ?? "", operationId: "prv_1" }),
    ...change,
  });

function differences(before: Row[], containers: HostContainer[], after = before, nodes = online) {
  const byVmid = (rows: Row[]) => new Map(rows.map((each) => [each.vmid, each]));
  const o = { before: byVmid(before), after: byVmid(after), seen: { containers, nodes } };
  const { rowsWithoutContainer, containersWithoutRow, wrongNode } = compare({ ...o, ranges, installation });
  return {
    rows: rowsWithoutContainer.map(({ vmid }) => vmid),
    containers: containersWithoutRow.map(({ vmid, ours }) => `${vmid} ${ours ? "ours" : "theirs"}`),
    moved: wrongNode.map(({ vmid, recorded, actual }) => `${vmid} ${recorded}>${actual}`),
  };
}
const none = { rows: [], containers: [], moved: [] };

describe("registry and host disagree when", () => {
  test("a server has no container", () => {
    expect(differences([row(5000)], [])).toEqual({ ...none, rows: [5000] });
  });

  test("a container of ours, or a stranger's, stands under a number that nobody has", () => {
    const found = [containerOf(row(5001)), foreign(6002)];
    expect(differences([], found)).toEqual({ ...none, containers: ["5001 ours", "6002 theirs"] });
  });

  test("a container stands under a number that rests, or that is known to be a stranger's", () => {
    const resting = row(5000, { state: "resting" });
    const theirs = row(5001, { state: "foreign", instanceId: null, customerId: null });
    const found = [containerOf(resting), foreign(5001)];
    expect(differences([resting, theirs], found)).toEqual({
      ...none,
      containers: ["5000 ours", "5001 theirs"],
    });
  });

  test("the container under a server's number is another's: the server has none, and that one has no row", () => {
    const server = row(5000);
    expect(differences([server], [foreign(5000)])).toEqual({
      ...none,
      rows: [5000],
      containers: ["5000 theirs"],
    });
    expect(differences([server], [containerOf(row(5000))])).toEqual({
      ...none,
      rows: [5000],
      containers: ["5000 ours"],
    });
  });

  test("a server is on another node than recorded; found by its tag when its description was rewritten", () => {
    const server = row(5000);
    const tags = [ownerTag({ installation, instanceId: server.instanceId ?? "" })];
    const found = [containerOf(server, { node: "b", description: "by hand", tags })];
    expect(differences([server], found)).toEqual({ ...none, moved: ["5000 a>b"] });
  });
});

describe("registry and host agree when", () => {
  test.each(["reserved", "live", "removing", "archived"] as const)(
    "the container is there and its row is %s",
    (state) => {
      const server = row(5000, { state, node: state === "reserved" ? null : "a" });
      expect(differences([server], [containerOf(server)])).toEqual(none);
    },
  );

  test.each(["reserved", "removing", "archived", "resting", "foreign"] as const)(
    "there is no container for a row that is %s",
    (state) => {
      expect(differences([row(5000, { state })], [])).toEqual(none);
    },
  );

  test("a container is outside of our numbers", () => {
    expect(differences([], [foreign(100), foreign(7000)])).toEqual(none);
  });

  test("the node of a server is away: nobody knows what stands on it", () => {
    const nodes = [...online, { node: "b", status: "offline" }];
    const server = row(5000, { node: "b" });
    expect(differences([server], [], [server], nodes)).toEqual(none);
  });
});

describe("between the looks at registry, host and registry again", () => {
  const server = row(5000);
  const reserved = { ...server, state: "reserved" as const, node: null };
  const gone = { ...server, state: "resting" as const };

  test.each([
    ["a server came to life", [reserved], [], [server]],
    ["a server was reserved and cloned", [], [containerOf(server)], [reserved]],
    ["a server was deleted before the host was asked", [server], [], [gone]],
    ["a server was deleted after the host was asked", [server], [containerOf(server)], [gone]],
    ["a number was given to another server", [server], [], [row(5000)]],
    [
      "a server was moved and recorded",
      [server],
      [containerOf(server, { node: "b" })],
      [{ ...server, node: "b" }],
    ],
  ])("%s: that is no difference", (_, before, containers, after) => {
    expect(differences(before, containers, after)).toEqual(none);
  });
});
