import type { Edge } from "./edge.ts";

const script = Bun.file(new URL("../docs/scalar.js.gz", import.meta.url));

/** The one script of the API page, served from here so that the page loads nothing from elsewhere. */
export const docsScript: Edge = {
  method: "GET",
  path: "/docs/scalar.js",
  summary: "Script of the API page",
  because: "It is a file, not a call.",
  policy: { auth: "public", guard: "none" },
  handle: () =>
    new Response(script, {
      headers: {
        "content-type": "text/javascript; charset=utf-8",
        "content-encoding": "gzip",
        "cache-control": "public, max-age=86400",
      },
    }),
};
