import { z } from "zod";

const errorLevel = 50;
const logLine = z.object({
  level: z.number(),
  msg: z.string().optional(),
  err: z.object({ message: z.string() }).partial().optional(),
});

/** What of a service's line of output people at the terminal should see: errors, shortened; undefined for the rest. */
export function forTerminal(line: string, isError: boolean): string | undefined {
  const parsed = logLine.safeParse(parseJson(line));
  if (!parsed.success) return isError && line.trim() ? line : undefined;
  const { level, msg, err } = parsed.data;
  if (level < errorLevel) return undefined;
  return [msg, err?.message].filter(Boolean).join(": ");
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
