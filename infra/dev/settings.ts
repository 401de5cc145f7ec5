import { join, resolve } from "node:path";
import { z } from "zod";
import { flag, parseEnv } from "#shared/config/env.ts";

const environment = z.object({
  ZPACK_HOME: z.string().default(".zpack"),
  ZPACK_PORT: z.coerce.number().int().min(1).max(65_535).default(4000),
  ZPACK_BIND: z.string().default("127.0.0.1"),
  ZPACK_PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
  ZPACK_LOGS: z.enum(["errors", "stdout"]).default("errors"),
  ZPACK_LOCAL_HOST_TRUSTED: flag(false),
  DATABASE_URL: z.string().optional(),
  NATS_URL: z.string().optional(),
  PROXMOX_HOST: z.string().optional(),
});

export type Settings = ReturnType<typeof readSettings>;

/** What the launcher itself is told; throws one Error, made for people, when something is wrong. */
export function readSettings(root: string, env: Readonly<Record<string, string | undefined>>) {
  const e = parseEnv(environment, env);
  const usesLocalHost = e.PROXMOX_HOST === undefined;
  if (usesLocalHost && !e.ZPACK_LOCAL_HOST_TRUSTED && !isLoopback(e.ZPACK_BIND)) {
    throw new Error(
      `ZPACK_BIND=${e.ZPACK_BIND} would let other machines in, and with the local host a customer's dev server is a ` +
        `shell on this one. Set ZPACK_LOCAL_HOST_TRUSTED=1 if you trust everybody who can reach it.`,
    );
  }
  const home = resolve(root, e.ZPACK_HOME);
  const host = ["0.0.0.0", "::"].includes(e.ZPACK_BIND) ? "127.0.0.1" : e.ZPACK_BIND;
  return {
    root,
    home,
    port: e.ZPACK_PORT,
    bind: e.ZPACK_BIND,
    publicUrl: e.ZPACK_PUBLIC_URL ?? `http://${host.includes(":") ? `[${host}]` : host}:${e.ZPACK_PORT}`,
    mirrorLogs: e.ZPACK_LOGS === "stdout",
    usesLocalHost,
    /** Undefined: the embedded one. */
    databaseUrl: e.DATABASE_URL,
    natsUrl: e.NATS_URL,
    logs: join(home, "logs"),
    credentials: join(home, "credentials.json"),
    env,
  };
}

const isLoopback = (address: string) => /^(127(\.\d+){3}|::1|localhost)$/.test(address);
