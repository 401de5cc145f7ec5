/** Lines that are kept, and characters kept of one. */
const keptLines = 200;
const keptCharacters = 2048;

// Escape sequences: CSI (colour, cursor), OSC (titles) and the two-character ones.
// oxlint-disable-next-line no-control-regex
const escapes = /\u001b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;
// "Cursor to column 1" begins a line anew, as a carriage return does.
// oxlint-disable-next-line no-control-regex
const toColumnOne = /\u001b\[1?G/g;

/** What a person would read of one raw line of terminal output. */
export function plainLine(raw: string): string {
  const text = raw.replace(toColumnOne, "\r").replace(escapes, "").replace(/\r+$/, "");
  return text.slice(text.lastIndexOf("\r") + 1);
}

/** Splits terminal output into plain lines and keeps the last of them. */
export class Lines {
  #partial = "";
  #kept: string[] = [];

  /** Takes raw output and gives back the lines it completed. */
  push(text: string): string[] {
    const parts = (this.#partial + text).split("\n");
    this.#partial = (parts.pop() ?? "").slice(-keptCharacters);
    const lines = parts.map((part) => plainLine(part).slice(0, keptCharacters));
    this.#kept = [...this.#kept, ...lines].slice(-keptLines);
    return lines;
  }

  /** The last `count` lines, at most `characters` long. */
  tail(count: number, characters: number): string {
    const last = plainLine(this.#partial);
    const lines = last === "" ? this.#kept : [...this.#kept, last];
    return lines.slice(-count).join("\n").slice(-characters);
  }

  /** Forgets everything: a new program's console begins. */
  clear(): void {
    this.#partial = "";
    this.#kept = [];
  }
}
