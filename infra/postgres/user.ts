const account = "postgres";

/** Postgres refuses uid 0. As root: the account it runs under, made where it is missing; otherwise undefined. */
export function postgresUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  if (idOf("-u") === undefined) {
    const made = Bun.spawnSync(["useradd", "--system", "--user-group", account], { stderr: "pipe" });
    if (made.exitCode !== 0)
      throw new Error(`cannot add the user ${account}: ${made.stderr.toString().trim()}`);
  }
  const uid = idOf("-u");
  const gid = idOf("-g");
  if (uid === undefined || gid === undefined) throw new Error(`the user ${account} has no id`);
  return { uid, gid };
}

/**
 * The command that runs `command` as the Postgres account; as ordinary user `command` itself. When that account
 * cannot enter `needed` (a checkout below /root, say), it keeps the one capability that lets it walk past
 * directory permissions, the weaker one where root may give it; everywhere else it has none.
 */
export function asPostgres(command: string[], needed: string[]): string[] {
  if (!postgresUser()) return command;
  const enters = (prefix: string[]) =>
    needed.every((dir) => Bun.spawnSync([...prefix, "test", "-x", dir], { stderr: "ignore" }).exitCode === 0);
  const prefix = [withRights("-all"), withRights("-all,+dac_read_search"), withRights("-all,+dac_override")];
  const chosen = prefix.find(enters);
  if (!chosen) throw new Error(`the user ${account} cannot enter ${needed.join(" and ")}`);
  return [...chosen, ...command];
}

function withRights(capabilities: string): string[] {
  // Without no_setuid_fixup, access(2) would not count the capability, and initdb calls its binaries invalid.
  const kept = capabilities === "-all" ? [] : ["--securebits=+no_setuid_fixup,+keep_caps_locked"];
  const sets = ["inh-caps", "ambient-caps", "bounding-set"].map((set) => `--${set}=${capabilities}`);
  const drop = [`--reuid=${account}`, `--regid=${account}`, "--clear-groups", "--no-new-privs"];
  return ["setpriv", ...drop, ...kept, ...sets];
}

function idOf(flag: "-u" | "-g"): number | undefined {
  const result = Bun.spawnSync(["id", flag, account], { stderr: "ignore" });
  return result.exitCode === 0 ? Number(result.stdout.toString()) : undefined;
}
