// What must never be in the repository. The rules see every file that is tracked or would be: a fault is found before the
// commit that would publish it.
import { statSync } from "node:fs";
import { join } from "node:path";

export type Finding = { file: string; line?: number; sentence: string };

type TextRule = { pattern: RegExp; sentence: string; only?: RegExp; except?: RegExp };

// Patterns are written so that this file does not match them itself.
const rules: TextRule[] = [
  { pattern: /-----BEGIN [A-Z ]*PRIVATE K[E]Y/, sentence: "a private key" },
  {
    pattern:
      /\b(sk|rk)_live_\w{16}|\bwhsec_[A-Za-z\d+/]{24}|\bgh[opsu]_\w{36}|\bAKIA[A-Z\d]{16}\b|\bxox[abp]-\w{10}/,
    sentence: "an access token",
  },
  { pattern: /\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}/, sentence: "a signed token (JWT)" },
  {
    pattern: /discord(app)?\.com\/api\/webhooks\/\d{17,}\/[\w-]{40,}/,
    sentence: "a Discord webhook's address",
  },
  { pattern: /^(<{7} |>{7} |={7}$)/, sentence: "a merge marker" },
  {
    pattern: /https?:\/\/|\bregistry\./,
    sentence: "a registry's address in a lock file",
    only: /(^|\/)bun\.lock$/,
  },
  { pattern: /(?<![\w.-])\/(work|root|home\/\w+|Users\/\w+)\//, sentence: "a path of one machine" },
  {
    pattern: /\b(T[O]DO|F[I]XME|X[X]X|H[A]CK)\b|@ts-(ignore|nocheck)\b/,
    sentence: "unfinished work",
    only: /\.(ts|sql|sh|css|html)$/,
  },
  {
    pattern: /\b(test|it|describe)\.(only|todo|skip)\(/,
    sentence: "a test that does not run, or that keeps others from running",
    only: /\.(test|spec)\.ts$/,
  },
];

const forbiddenNames: { pattern: RegExp; sentence: string }[] = [
  { pattern: /\.(zip|tar|tgz|gz|bz2|xz|zst|7z|rar|jar|deb|rpm)$/i, sentence: "an archive" },
  { pattern: /\.(dump|bak|sqlite3?|db|rdb|core|pcap|log)$/i, sentence: "a dump or log" },
  {
    pattern:
      /\.(pem|key|p12|pfx|jks|kdbx)$|(^|\/)(id_(rsa|ed25519|ecdsa)|\.npmrc|credentials\.json|secrets\.json)$/i,
    sentence: "a key or credentials",
  },
  { pattern: /(^|\/)\.env(\.(?!example$)[\w.]+)?$/, sentence: "an environment file" },
  { pattern: /(^|\/)(package-lock\.json|yarn\.lock|pnpm-lock\.yaml)$/, sentence: "a second lock file" },
];

const maxBytes = 1_000_000;
const maxLines = 250;
const sources = /\.(ts|sql|sh|css|html)$/;
const generated = /\.gen\.|(^|\/)golden\//;

/** Findings of one file; `allowed` names paths whose kind and size are excused because the project ships them. */
export function inspect(file: string, bytes: Uint8Array, allowed: ReadonlySet<string>): Finding[] {
  const findings: Finding[] = [];
  if (!allowed.has(file)) {
    const name = forbiddenNames.find(({ pattern }) => pattern.test(file));
    if (name) findings.push({ file, sentence: name.sentence });
    if (bytes.length > maxBytes) findings.push({ file, sentence: `larger than ${maxBytes / 1e6} MB` });
  }
  if (bytes.includes(0)) return findings; // binary
  const lines = new TextDecoder().decode(bytes).split("\n");
  const applicable = rules.filter(({ only }) => !only || only.test(file));
  lines.forEach((text, index) => {
    for (const { pattern, sentence } of applicable) {
      if (pattern.test(text)) findings.push({ file, line: index + 1, sentence });
    }
  });
  const code = sources.test(file) && !generated.test(file) ? lines.filter(isCode).length : 0;
  if (code > maxLines)
    findings.push({ file, sentence: `${code} lines of code; a file holds one idea (at most ${maxLines})` });
  return findings;
}

const isCode = (line: string) => !/^\s*($|\/\/|\/?\*|--|#)/.test(line);

/** Inspects every file that git tracks or would track in `root`. */
export async function hygiene(root: string, allowed: ReadonlySet<string>): Promise<Finding[]> {
  // A checkout may belong to another user than the one who tests it; listing its files is harmless all the same.
  const list = ["-z", "--cached", "--others", "--exclude-standard"];
  const git = Bun.spawn(["git", "-c", "safe.directory=*", "ls-files", ...list], {
    cwd: root,
    stdin: "ignore",
    stderr: "inherit",
  });
  const files = (await git.stdout.text()).split("\0").filter((file) => file !== "");
  if ((await git.exited) !== 0) throw new Error("git could not list the files of this checkout");
  const found: Finding[] = [];
  for (const file of files) {
    const path = join(root, file);
    if (!statSync(path, { throwIfNoEntry: false })?.isFile()) continue; // deleted, not yet committed
    found.push(...inspect(file, await Bun.file(path).bytes(), allowed));
  }
  return found;
}
