/** For the host's own tools (bun build, bun install): the host's environment, registry settings included, without its token. */
export function hostEnvironment(): Record<string, string | undefined> {
  const { LOCAL_HOST_TOKEN: _, ...rest } = process.env;
  return { ...rest, BUN_BE_BUN: "1" };
}
