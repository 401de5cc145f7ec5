import { z } from "zod";
import type { Operation } from "#shared/contract/operation.ts";
import { provisioningForTest, untilOperation } from "./provisioning.ts";

const Accepted = z.object({ operationId: z.string() });

/** The service with a worker that does what is accepted. */
export async function creationForTest(o: Parameters<typeof provisioningForTest>[0] = {}) {
  const provisioning = await provisioningForTest(o);
  const worker = provisioning.worker();
  return {
    ...provisioning,
    /** Has a server made for a new account: a game server, unless the input says otherwise. */
    create: async (input: object = {}) => {
      const actor = provisioning.newAccount();
      const { reply } = await provisioning.call("createServer", { ctype: "game", ...input }, actor);
      const { operationId } = Accepted.parse(reply);
      const until = (done: (operation: Operation) => boolean, limitMs?: number) =>
        untilOperation(provisioning, operationId, done, limitMs);
      const end = (limitMs?: number) => until(({ finishedAt }) => finishedAt !== null, limitMs);
      return { actor, operationId, until, end };
    },
    /** The instance that an operation makes, whether it is a server already or not. */
    instanceOf: (operationId: string) =>
      provisioning.query(async (tx) => {
        const [row] = await tx<{ id: string }[]>`
          select instance_id as id from operation where id = ${operationId}`;
        return row?.id ?? "";
      }),
    /** What an account has taken of its limits. */
    quota: (accountId: string) =>
      provisioning.query((tx) => tx`select memory_mib from quota where account_id = ${accountId}`),
    async [Symbol.asyncDispose]() {
      await worker.stop();
      await provisioning[Symbol.asyncDispose]();
    },
  };
}
