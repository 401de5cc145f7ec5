// What runs zpack where no launcher does: systemd units and a compose file, from the one table of processes.
import type { ProcessSpec } from "#infra/processes.ts";

const root = "/opt/zpack";
const settings = "/etc/zpack";

/** Who is started before whom; a process whose neighbour is late tries again by itself. */
const after: Record<ProcessSpec["kind"], readonly ProcessSpec["kind"][]> = {
  host: [],
  service: ["host"],
  gateway: ["host", "service"],
};

const predecessors = (spec: ProcessSpec, all: readonly ProcessSpec[]) =>
  all.filter(({ kind }) => after[spec.kind].includes(kind)).map(({ name }) => name);

/** The systemd unit of one process. Its settings are in `/etc/zpack/<name>.env`, which `prepare.ts` writes. */
export function unitOf(spec: ProcessSpec, all: readonly ProcessSpec[]): string {
  const order = ["network-online.target", ...predecessors(spec, all).map((name) => `zpack-${name}.service`)];
  // The local host starts agents as users of their own, and they outlive it; everybody else needs no right at all.
  const rights =
    spec.kind === "host"
      ? ["User=root", "KillMode=process"]
      : [
          "DynamicUser=yes",
          "NoNewPrivileges=yes",
          "ProtectSystem=strict",
          "ProtectHome=yes",
          "PrivateTmp=yes",
        ];
  return `${[
    "# Generated from infra/processes.ts.",
    "[Unit]",
    `Description=zpack ${spec.name}`,
    "Wants=network-online.target",
    `After=${order.join(" ")}`,
    "",
    "[Service]",
    `ExecStart=${root}/bin/bun --no-env-file ${root}/${spec.entry}`,
    `WorkingDirectory=${root}`,
    `EnvironmentFile=${settings}/${spec.name}.env`,
    ...rights,
    "Restart=always",
    "RestartSec=1",
    "TimeoutStopSec=30",
    "",
    "[Install]",
    "WantedBy=multi-user.target",
  ].join("\n")}\n`;
}

/** The compose file of all processes, on an image that holds the checkout and Bun; Postgres and NATS are the operator's. */
export function composeOf(all: readonly ProcessSpec[]): object {
  const service = (spec: ProcessSpec) => ({
    image: "zpack",
    command: ["bun", "--no-env-file", spec.entry],
    env_file: `${settings}/${spec.name}.env`,
    depends_on: predecessors(spec, all),
    restart: "always",
    network_mode: "host",
    stop_grace_period: "30s",
    ...(spec.kind === "host" ? { volumes: ["/var/lib/zpack:/var/lib/zpack"] } : { read_only: true }),
  });
  return { services: Object.fromEntries(all.map((spec) => [spec.name, service(spec)])) };
}

/** The content of an environment file; values are quoted, so that systemd and compose read them alike. */
export function environmentFile(env: Readonly<Record<string, string>>): string {
  const quoted = (value: string) => `"${value.replaceAll(/["\\$`]/g, "\\$&")}"`;
  return Object.entries(env)
    .map(([name, value]) => `${name}=${quoted(value)}\n`)
    .join("");
}
