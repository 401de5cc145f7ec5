import { expect, test } from "bun:test";
import { authForTest } from "../testing/auth.ts";
import { gateway } from "../contract.ts";
import { operator } from "../testing/keys.ts";
import { auditRecorded } from "./audit-recorded.ts";

test("what each service tells is in the log, once however often it comes", async () => {
  await using auth = await authForTest();
  const reactions = auditRecorded(auth.deps);
  const at = "2030-01-01T00:00:00.000Z";
  for (const [i, reaction] of reactions.entries()) {
    const data = {
      id: `aud_${i}`,
      actor: operator.id,
      via: operator.via,
      action: "servers.ownership_passed",
      target: "inst_1",
      customerId: "acc_ada",
      address: "203.0.113.1",
      requestId: "r",
      at,
      details: { verb: "stopGame" },
    };
    for (let n = 0; n < 2; n++) await reaction.handle({ id: `evt_${i}`, key: data.id, version: 1, at, data });
  }
  expect(reactions.map(({ consumed }) => consumed)).toEqual(
    gateway.consumes.filter((name) => name.endsWith(".auditRecorded")),
  );
  const reply = await auth.ask("listAudit", { account: "acc_ada" }, operator);
  const line = { actor: operator.id, customerId: "acc_ada", at, details: { verb: "stopGame" }, status: null };
  expect(reply).toMatchObject({
    entries: [
      { ...line, id: "aud_2" },
      { ...line, id: "aud_1" },
      { ...line, id: "aud_0" },
    ],
  });
});
