/**
 * Keys whose values never reach a log line, wherever they stand in the logged object.
 * Compared in lower case without "-" and "_", so `X-Zpack-Secret` and `xZpackSecret` are one key.
 */
export const secretKeys: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "setcookie",
  "password",
  "newpassword",
  "currentpassword",
  "passwordhash",
  "token",
  "accesstoken",
  "refreshtoken",
  "resettoken",
  "agenttoken",
  "secret",
  "clientsecret",
  "apikey",
  "xapikey",
  "xzpacksecret",
  "stripesignature",
  "privatekey",
  "databaseurl",
  "xforwardedfor",
  "forwarded",
  "xrealip",
]);

const name = (key: string) => key.toLowerCase().replaceAll(/[-_]/g, "");
// Bearer values, JWTs, API keys and the password of a URL, wherever a sentence quotes them.
const secretText =
  /\bBearer\s+[\w.~+/=-]+|\beyJ[\w-]+\.[\w-]+\.[\w-]*|\bzpk_\w+_[\w-]+|(?<=:\/\/[^/\s:@]*:)[^@\s/]+(?=@)/g;

/** A copy of `value` that is safe to log: secret members replaced, secrets quoted in text blanked, depth and length bounded. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return value.slice(0, 8192).replaceAll(secretText, "[redacted]");
  if (value === null || typeof value !== "object") return typeof value === "bigint" ? String(value) : value;
  if (depth > 6) return "[deep]";
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Error) return redactError(value, depth);
  if (Array.isArray(value)) return value.slice(0, 100).map((item) => redact(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      secretKeys.has(name(key)) ? "[redacted]" : redact(item, depth + 1),
    ]),
  );
}

function redactError(error: Error, depth: number): unknown {
  const { name: type, message, stack, cause, ...rest } = error;
  return {
    type: type || error.constructor.name,
    message: redact(message),
    ...(redact(rest, depth + 1) as object),
    stack: redact(stack),
    ...(cause === undefined ? {} : { cause: redact(cause, depth + 1) }),
  };
}
