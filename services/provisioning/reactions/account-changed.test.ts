import { expect, test } from "bun:test";
import { freeAccount, provisioningForTest } from "../testing/provisioning.ts";
import { accountChanged } from "./account-changed.ts";

test("a newer state of an account is kept, an older one is not", async () => {
  await using provisioning = await provisioningForTest();
  const reaction = accountChanged(provisioning.deps);
  const hear = (version: number, serverBillingState: "allowed" | "retained") =>
    reaction.handle({
      id: `evt_${version}`,
      key: "acc_ada",
      version,
      at: "2030-01-01T00:00:00.000Z",
      data: { ...freeAccount("acc_ada"), version, serverBillingState },
    });
  const known = async () => {
    const [row] = await provisioning.query((tx) => tx`select version, state from account`);
    return [row?.["version"], row?.["state"].serverBillingState];
  };
  await hear(2, "retained");
  expect(await known()).toEqual([2, "retained"]);
  await hear(1, "allowed");
  await hear(2, "allowed");
  expect(await known()).toEqual([2, "retained"]);
  await Promise.all([hear(4, "retained"), hear(3, "allowed")]);
  expect(await known()).toEqual([4, "retained"]);
});
