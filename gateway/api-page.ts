import { swagger } from "@elysiajs/swagger";
import { components } from "./openapi.ts";

// Whatever would ask a foreign host for something is off. The plugin's types are older than the script that is served.
const quiet: object = {
  withDefaultFonts: false,
  hideClientButton: true,
  showDeveloperTools: "never",
  telemetry: false,
  agent: { disabled: true },
  mcp: { disabled: true },
};

/** The API page and the document that it shows. */
export function apiPage(version: string) {
  return swagger({
    path: "/docs",
    specPath: "/docs/json",
    scalarCDN: "/docs/scalar.js",
    exclude: ["/docs", "/docs/json", "/docs/scalar.js"],
    excludeStaticFile: false,
    scalarConfig: quiet,
    documentation: {
      openapi: "3.1.0",
      info: { title: "zpack", version, description: "Control plane for game servers and dev containers" },
      components,
    },
  });
}

/**
 * The page carries its styles inline, and its settings on a script element without a script, whose white space is what
 * the hash admits. It loads, sends and is framed nowhere else.
 */
export const pageHeaders = {
  "referrer-policy": "no-referrer",
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self' 'sha256-TcUB1mzXiQO4GxpTRZ0EMpOXKMU3u+n/q1WrgVIcs1I='",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "worker-src 'self' blob:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
} as const;
