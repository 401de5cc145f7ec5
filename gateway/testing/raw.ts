import { rawRequest, sendRaw } from "../pipeline/testing/pipeline.ts";

/** A client that writes bytes on a socket, to the gateway at the port that `port` tells when it is asked. */
export function rawClient(port: () => number) {
  /** Status and code of the answer to a request as it stands. */
  async function outcome(bytes: string): Promise<string> {
    const answer = await sendRaw(port(), bytes);
    const body = answer.slice(answer.indexOf("\r\n\r\n") + 4);
    const code = body.startsWith("{") ? ((JSON.parse(body) as { code?: string }).code ?? "served") : body;
    return `${answer.slice(9, 12)} ${code}`.trim();
  }
  return {
    outcome,
    /** GET of a target with exactly these header lines; without any, with the Host that is right. */
    get: (target: string, ...headers: string[]) =>
      outcome(rawRequest(target, headers.length > 0 ? headers : ["Host: localhost"])),
    /** POST with these header lines besides Host, and a body that is sent whatever they say of it. */
    post: (target: string, headers: readonly string[], body: string) =>
      outcome(
        [`POST ${target} HTTP/1.1`, "Host: localhost", "Connection: close", ...headers, "", body].join(
          "\r\n",
        ),
      ),
  };
}

/** The header lines of a JSON body. */
export const json = (body: string) => [
  "Content-Type: application/json",
  `Content-Length: ${Buffer.byteLength(body)}`,
];
