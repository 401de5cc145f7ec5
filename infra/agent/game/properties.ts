/**
 * The text of a `server.properties` file: `key=value` lines, `#` comments, backslash escapes. Everything that is
 * not changed (order, comments, unknown keys) stays as the customer wrote it.
 */
export type Properties = Record<string, string>;

export function parseProperties(text: string): Properties {
  const found: Properties = {};
  for (const line of text.split(/\r?\n/)) {
    const entry = entryOf(line);
    if (entry) found[entry.key] = entry.value;
  }
  return found;
}

/** The text with these values: in place where the key is there, added at the end where it is not. */
export function withProperties(text: string, values: Properties): string {
  const missing = new Map(Object.entries(values));
  const lines = text === "" ? [] : text.replace(/\r?\n$/, "").split(/\r?\n/);
  const kept = lines.map((line) => {
    const key = entryOf(line)?.key;
    const value = key === undefined ? undefined : missing.get(key);
    if (key === undefined || value === undefined) return line;
    missing.delete(key);
    return `${key}=${escape(value)}`;
  });
  const added = [...missing].map(([key, value]) => `${key}=${escape(value)}`);
  return [...kept, ...added, ""].join("\n");
}

function entryOf(line: string): { key: string; value: string } | undefined {
  const match = /^\s*([^#!=:\s][^=:\s]*)\s*[=:]\s*(.*)$/.exec(line);
  const [, key, value] = match ?? [];
  return key === undefined || value === undefined ? undefined : { key, value: unescape(value) };
}

function unescape(value: string): string {
  return value.replace(/\\(?:u([0-9a-fA-F]{4})|(.))/g, (_all, code: string | undefined, letter: string) => {
    if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
    return { n: "\n", t: "\t", r: "\r" }[letter] ?? letter;
  });
}

/** Beyond ASCII by code, as Java reads these files in either of two encodings. */
function escape(value: string): string {
  return value
    .replace(/\\/g, "\\\\")
    .replace(/\n/g, "\\n")
    .replace(/\r/g, "\\r")
    .replace(/[^\u0020-\u007e]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
