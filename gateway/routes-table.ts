import { bindings, type Contract } from "#shared/contract/define.ts";
import type { Edge } from "./edges/edge.ts";

const header = [
  "method",
  "path",
  "subject",
  "kind",
  "auth",
  "guard",
  "action",
  "scope",
  "limit",
  "idempotency",
  "cookie",
  "alias of",
];

/** Every address of the gateway with its policy, a line each: a change of any of them is a visible difference. */
export function routesTable(registry: readonly Contract[], edges: readonly Edge[]): string {
  const contracts = registry.flatMap((contract) =>
    Object.values(contract.routes).flatMap((route) =>
      bindings(route).map(({ method, path, alias }) => [
        method,
        path,
        route.subject,
        route.http?.kind ?? "-",
        route.policy.auth,
        route.policy.guard,
        (route.policy.server ?? "-") + (route.policy.agent ? "+agent" : ""),
        route.policy.scope ?? "-",
        route.policy.limit ?? "-",
        route.policy.idempotency,
        route.http?.cookie ?? "-",
        alias ? `${route.http?.method} ${route.http?.path}` : "-",
      ]),
    ),
  );
  const byHand = edges.map(({ method, path, policy }) => {
    return [method, path, "(edge)", "-", policy.auth, policy.guard, "-", "-", "-", "-", "-", "-"];
  });
  const rows = [...contracts, ...byHand].toSorted((a, b) =>
    compare(`${a[1]} ${a[0]} ${a[2]}`, `${b[1]} ${b[0]} ${b[2]}`),
  );
  const widths = header.map((name, i) => Math.max(name.length, ...rows.map((row) => (row[i] ?? "").length)));
  const line = (row: string[]) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd();
  return `${[header, ...rows].map(line).join("\n")}\n`;
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
