import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { Fault } from "#shared/fault/fault.ts";
import { newInstanceId } from "#shared/ids/ids.ts";
import { Inventory } from "../contract.ts";
import { ownerMark } from "../ownership.ts";
import { plantServer } from "../testing/deletion.ts";
import { account, provisioningForTest } from "../testing/provisioning.ts";

const provisioning = await provisioningForTest();
afterAll(() => provisioning[Symbol.asyncDispose]());
const { host, registry, deps } = provisioning;
const operator = account("acc_operator", "operator");

const ask = async (actor = operator) =>
  Inventory.parse((await provisioning.call("inventory", {}, actor)).reply);
const refusal = (actor = operator) =>
  ask(actor).then(
    () => undefined,
    (error: unknown) => (error instanceof Fault ? error : undefined),
  );

beforeEach(() => {
  host.containers.clear();
  registry.clear();
});

describe("inventory", () => {
  test("200: everything is where it should be, and one of each that is not is named", async () => {
    const well = await plantServer(provisioning);
    const lost = await plantServer(provisioning);
    host.containers.delete(lost.vmid);
    const moved = await plantServer(provisioning);
    Object.assign(registry.live.get(moved.instanceId) ?? {}, { node: "elsewhere" });
    const stranger = host.putForeign(5500);
    host.putForeign(4999);
    const report = await ask();
    expect(report).toMatchObject({
      ok: true,
      ranges: [
        { ctype: "game", first: 5000, last: 5999 },
        { ctype: "dev", first: 6000, last: 6999 },
      ],
      nodes: [{ node: "local", status: "online" }],
      counts: { rows: 3, containers: 4 },
    });
    expect(report.rowsWithoutContainer).toEqual([
      {
        vmid: lost.vmid,
        instanceId: lost.instanceId,
        customerId: lost.actor.id,
        ctype: "game",
        node: "local",
        hostname: `here-${lost.vmid}`,
        state: "live",
      },
    ]);
    expect(report.containersWithoutRow).toEqual([
      { vmid: stranger.vmid, node: "local", hostname: "theirs", ours: false },
    ]);
    expect(report.wrongNode).toEqual([
      { vmid: moved.vmid, instanceId: moved.instanceId, recorded: "elsewhere", actual: "local" },
    ]);
    expect(JSON.stringify(report)).not.toContain(well.instanceId);
  });

  test("200: of 5,000 rows every wrong one is named, and none besides, with as many calls to the host as for one", async () => {
    const rows = 5_000;
    const wrong = { lost: [] as number[], without: [] as number[], moved: [] as number[] };
    const ranges = [{ ctype: "game" as const, first: 5000, last: 5000 + 2 * rows }];
    const listed = Array.from({ length: rows }, (_, i) => ({
      vmid: 5000 + i,
      instanceId: newInstanceId(),
      customerId: `acc_${i % 97}`,
      ctype: "game" as const,
      node: i % 300 === 7 ? "elsewhere" : "local",
      hostname: `h-${5000 + i}`,
      state: "live" as const,
    }));
    for (const [i, { vmid, instanceId, node }] of listed.entries()) {
      if (node === "elsewhere") wrong.moved.push(vmid);
      if (i % 300 === 11) {
        wrong.lost.push(vmid);
        continue;
      }
      const owner = { installation: deps.installation, instanceId, operationId: "prv_1" };
      Object.assign(host.putForeign(vmid), { description: ownerMark(owner) });
    }
    for (let i = 0; i < 17; i++) wrong.without.push(host.putForeign(5000 + rows + 100 * i).vmid);
    const forget = registry.pretend(listed, ranges);
    const before = host.log.length;
    const began = performance.now();
    const report = await ask();
    const took = performance.now() - began;
    forget();
    expect(report.rowsWithoutContainer.map(({ vmid }) => vmid)).toEqual(wrong.lost);
    expect(report.containersWithoutRow.map(({ vmid }) => vmid)).toEqual(wrong.without);
    expect(report.wrongNode.map(({ vmid }) => vmid)).toEqual(wrong.moved);
    expect(wrong.lost.length + wrong.without.length + wrong.moved.length).toBeGreaterThanOrEqual(50);
    expect(report.counts).toEqual({ rows, containers: rows - wrong.lost.length + wrong.without.length });
    expect(host.log.slice(before).toSorted()).toEqual(["GET /containers", "GET /health"]);
    expect(took).toBeLessThan(5_000);
  });

  test("200: what is made and deleted while it looks shows up as nothing", async () => {
    const going = await plantServer(provisioning);
    let coming = 0;
    void host.trouble.next("GET /containers", async () => {
      host.containers.delete(going.vmid);
      registry.live.delete(going.instanceId);
      registry.resting.add(going.instanceId);
      coming = (await plantServer(provisioning)).vmid;
    });
    const report = await ask();
    expect(coming).toBeGreaterThan(0);
    expect(report).toMatchObject({ rowsWithoutContainer: [], containersWithoutRow: [], wrongNode: [] });
  });

  test("401 auth.required, 403 auth.forbidden: for operators alone", async () => {
    expect(await refusal(account("acc_1"))).toMatchObject({ status: 403, code: "auth.forbidden" });
    expect(await refusal({ kind: "anonymous" })).toMatchObject({ status: 401, code: "auth.required" });
  });

  test.each(["GET /containers", "GET /health"])(
    "503 service.unavailable: the host is away at %s, and says so itself",
    async (request) => {
      void host.trouble.next(request, "away");
      expect(await refusal()).toMatchObject({
        status: 503,
        code: "service.unavailable",
        retryable: true,
        details: { upstream: { service: "host", body: "the host says host.stopping" } },
      });
    },
  );

  test("502 provisioning.host_refused: the host does not know us", async () => {
    void host.trouble.next("GET /containers", "denied");
    expect(await refusal()).toMatchObject({
      status: 502,
      code: "provisioning.host_refused",
      details: { upstream: { service: "host", body: "the host says auth.required" } },
    });
  });

  test("504 service.timeout: the registry does not answer", async () => {
    void registry.trouble.next("listInventory", "away");
    expect(await refusal()).toMatchObject({ status: 504, code: "service.timeout", retryable: true });
  });
});
