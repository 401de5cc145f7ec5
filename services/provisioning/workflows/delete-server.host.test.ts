import { afterAll, describe, expect, test } from "bun:test";
import { deletionForTest } from "../testing/deletion.ts";

// What the answers of a host mean to a deletion, those that do not come among them.

const made = await deletionForTest({ settings: { PROVISIONING_SHUTDOWN_MS: 300 } });
afterAll(() => made[Symbol.asyncDispose]());
const { host, registry, operator, plant, remove, quotaOf } = made;
const { expectGone, expectKept, expectSecondSucceeds } = made;
const askedHost = (request: string) => host.log.filter((each) => each === request).length;

const looks = "GET /containers/:vmid";
const destroys = "DELETE /containers/:vmid";

describe("the host says no", () => {
  test.each(["fails", "denied", "forbidden"] as const)(
    "%s, to the deletion: the operation fails with the host's words, and another one goes on",
    async (mishap) => {
      const server = await plant();
      void host.trouble.next(destroys, mishap);
      const { end } = await remove(server);
      const { status, error } = await end();
      expect(status).toBe("failed");
      const words = { fails: "internal.error", denied: "auth.required", forbidden: "request.invalid" };
      expect(error).toMatchObject({
        code: "provisioning.host_refused",
        message: expect.stringContaining(`the host says ${words[mishap]}`),
        details: { upstream: { service: "host", body: `the host says ${words[mishap]}` } },
      });
      await expectKept(server);
      await expectSecondSucceeds(server);
    },
  );

  test.each(["fails", "denied", "forbidden"] as const)(
    "%s, when it is asked what is there: that never means gone",
    async (mishap) => {
      const server = await plant();
      const back = Promise.withResolvers<() => void>();
      void registry.trouble.next("archive", () => back.resolve(host.trouble.always(looks, mishap)));
      const { end } = await remove(server);
      expect(await end()).toMatchObject({ status: "failed", error: { code: "provisioning.host_refused" } });
      (await back.promise)();
      await expectKept(server);
      await expectSecondSucceeds(server);
    },
  );
});

describe("the host's answer is lost", () => {
  test.each(["lost after", "lost before"] as const)(
    "%s the deletion took effect: it is looked up, and exactly one container is gone",
    async (mishap) => {
      const server = await plant();
      const asked = askedHost(destroys);
      void host.trouble.next(destroys, mishap);
      const { end } = await remove(server);
      expect(await end()).toMatchObject({ status: "succeeded" });
      expect(askedHost(destroys)).toBe(asked + (mishap === "lost after" ? 1 : 2));
      await expectGone(server);
    },
  );

  test("and the host stays silent: the operation says unknown, the quota stays taken, and then it is settled", async () => {
    const server = await plant();
    const back = Promise.withResolvers<() => void>();
    void host.trouble.next(destroys, () => {
      back.resolve(host.trouble.always(looks, "away"));
      return "lost after";
    });
    const { end, until } = await remove(server);
    const unknown = await until(({ status }) => status === "unknown");
    expect(unknown).toMatchObject({ phase: "destroy-container", finishedAt: null, error: null });
    expect(await quotaOf(server)).toBe(1);
    (await back.promise)();
    expect(await end()).toMatchObject({ status: "succeeded" });
    await expectGone(server);
  });

  test("to a stop by force: it is looked up before anything is deleted", async () => {
    const server = await plant({ running: true });
    void host.trouble.next("POST /containers/:vmid/stop", "lost before");
    const { end } = await remove(server, { actor: operator, force: true });
    expect(await end()).toMatchObject({ status: "succeeded" });
    await expectGone(server);
  });

  test("for longer than a deletion tries: it fails as unknown, keeps what it knows, and another one settles it", async () => {
    await using impatient = await deletionForTest({
      settings: { PROVISIONING_GIVE_UP_MS: 30, PROVISIONING_SHUTDOWN_MS: 1 },
    });
    const server = await impatient.plant();
    const back = impatient.host.trouble.always(destroys, "lost before");
    const first = await impatient.remove(server);
    expect(await first.end()).toMatchObject({
      status: "failed",
      error: { code: "operation.outcome_unknown", retryable: true },
    });
    expect(impatient.registry.live.get(server.instanceId)).toMatchObject({ removing: true });
    back();
    const second = await impatient.remove(server);
    expect(await second.end()).toMatchObject({ status: "succeeded" });
    expect(impatient.host.containers.size).toBe(0);
  });
});
