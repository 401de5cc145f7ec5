import { startStack } from "./stack.ts";
import { tokenEnv } from "./tokens.ts";

/** The stack that all files share; its address goes to the workers by their environment. */
export default async function globalSetup(): Promise<() => Promise<void>> {
  const stack = await startStack({ env: tokenEnv });
  process.env["E2E_URL"] = stack.url;
  process.env["E2E_OPERATOR"] = JSON.stringify(stack.credentials);
  return () => stack.stop();
}
