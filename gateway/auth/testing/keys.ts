import type { Account } from "../verified.ts";
import { gateway } from "../contract.ts";
import type { authForTest } from "./auth.ts";

type Auth = Awaited<ReturnType<typeof authForTest>>;

/** Makes an API key for an account: the key itself and its id. */
export async function keyFor(
  auth: Auth,
  actor: Account,
  input: object = {},
): Promise<{ key: string; keyId: string }> {
  const asked = { name: "deploy", scopes: ["servers:read"], ...input };
  const { key, apiKey } = gateway.routes.createKey.reply.parse(await auth.ask("createKey", asked, actor));
  return { key, keyId: apiKey.id };
}

export const operator: Account = { kind: "account", id: "acc_op", role: "operator", via: "ses_op" };
