import type { z } from "zod";
import { Fault } from "#shared/fault/fault.ts";
import { provisioning as contract } from "../contract.ts";
import { provisioningForTest } from "./provisioning.ts";

type Reply = z.output<(typeof contract)["routes"]["createServer"]["reply"]>;

/** The service without a worker, and what a test asks about the orders that it has accepted. */
export async function ordersForTest() {
  const provisioning = await provisioningForTest();
  const { query, call } = provisioning;
  type Account = ReturnType<typeof provisioning.newAccount>;
  return {
    ...provisioning,
    /** Orders a game server, unless the input says otherwise. */
    create: async (actor: Account, input: object = {}, key?: string) => {
      const body = "type" in input || "ctype" in input ? input : { ctype: "game", ...input };
      const { reply, headers } = await call("createServer", body, actor, key);
      return { reply: contract.routes.createServer.reply.parse(reply), headers };
    },
    /** How a create ended: "202", or the code of its fault. */
    outcome: (creating: Promise<unknown>): Promise<string> =>
      creating.then(
        () => "202",
        (error: unknown) => (error instanceof Fault ? error.code : String(error)),
      ),
    operationsOf: async ({ id }: Account): Promise<number> =>
      (await query((tx) => tx`select 1 from operation where customer_id = ${id}`)).length,
    /** What the accepted work was begun with. */
    orderOf: async ({ operationId }: Reply) => {
      const [row] = await query((tx) => tx`select state from saga where operation_id = ${operationId}`);
      return row?.["state"] as unknown;
    },
  };
}
