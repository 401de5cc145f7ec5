import { afterAll, describe, expect, test } from "bun:test";
import { z } from "zod";
import { account, provisioningForTest } from "../testing/provisioning.ts";

const provisioning = await provisioningForTest();
afterAll(() => provisioning[Symbol.asyncDispose]());

const ada = account("acc_ada");
const { reply } = await provisioning.call("createServer", { ctype: "game" }, ada);
const { operationId } = z.object({ operationId: z.string() }).parse(reply);
const get = (actor = ada, id = operationId) => provisioning.call("getOperation", { operationId: id }, actor);

describe("getOperation", () => {
  test("200: to its owner", async () => {
    expect(reply).toMatchObject({ operation: (await get()).reply });
  });

  test("200: to an operator", async () => {
    expect(await get(account("acc_op", "operator"))).toEqual(await get());
  });

  test("404 provisioning.operation_not_found: somebody else's, answered like one that does not exist", () => {
    const notFound = { status: 404, code: "provisioning.operation_not_found", detail: undefined };
    expect(get(account("acc_eve"))).rejects.toMatchObject(notFound);
    expect(get(ada, "prv_00000000000000000000000000")).rejects.toMatchObject(notFound);
  });
});
