// Both directions name what passes. Hop-by-hop headers, the client's credentials and its Content-Length (the body goes on
// in chunks) are left behind that way, and so is whatever a holder, who may run a customer's own code, could set on our
// origin: cookies, CORS, service workers.
const toHolder = [
  "accept",
  "content-disposition",
  "content-encoding",
  "content-type",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "range",
];

const toClient = [
  "accept-ranges",
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-length",
  "content-range",
  "content-type",
  "etag",
  "last-modified",
  "retry-after",
  "vary",
];

/** Headers of the request to the holder; those of the ticket win. */
export function requestHeaders(client: Headers, ticket: Record<string, string>): Headers {
  const headers = pick(client, toHolder);
  // Named in any case: fetch would otherwise ask for encodings of its own, and the body passes as it is.
  headers.set("accept-encoding", client.get("accept-encoding") ?? "identity");
  for (const [name, value] of Object.entries(ticket)) headers.set(name, value);
  return headers;
}

/** Headers of the answer to the client. A file that a browser opens may not act as a page of ours. */
export function responseHeaders(holder: Headers): Headers {
  const headers = pick(holder, toClient);
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
  headers.set("x-content-type-options", "nosniff");
  headers.set("content-security-policy", "sandbox; default-src 'none'");
  return headers;
}

/** The listed headers, except those that the sender's Connection header keeps for its own hop. */
function pick(from: Headers, names: readonly string[]): Headers {
  const hop = new Set((from.get("connection") ?? "").split(",").map((name) => name.trim().toLowerCase()));
  const headers = new Headers();
  for (const name of names) {
    const value = from.get(name);
    if (value !== null && !hop.has(name)) headers.set(name, value);
  }
  return headers;
}
