import { closeSync, fstatSync, openSync, renameSync, statSync, writeSync } from "node:fs";

export type LogFile = { path: string; write(line: string): void; close(): void };

const maxBytes = 16 * 1024 * 1024;

/** Appends to `path`; a file that has grown beyond `limit` bytes becomes `path.1`, whose predecessor is dropped. */
export function openLogFile(path: string, limit = maxBytes): LogFile {
  let fd = openRotated(path, limit);
  let size = fstatSync(fd).size;
  return {
    path,
    write(line) {
      try {
        if (size > limit) {
          closeSync(fd);
          fd = openRotated(path, limit);
          size = 0;
        }
        size += writeSync(fd, `${line}\n`);
      } catch {
        // A full disk costs log lines, not the stack.
      }
    },
    close: () => closeSync(fd),
  };
}

/** For output that a process writes by itself: a descriptor, to be closed by the caller. */
export function openRotated(path: string, limit = maxBytes): number {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > limit) renameSync(path, `${path}.1`);
  return openSync(path, "a", 0o600);
}

/** Calls `line` for every line of a stream; one that is longer than a megabyte is cut into pieces. */
export async function eachLine(
  stream: ReadableStream<Uint8Array>,
  line: (text: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const text of lines) line(text);
    if (rest.length > 1_000_000) {
      line(rest);
      rest = "";
    }
  }
  if (rest) line(rest);
}
