/** A client of the API, as the Portal is one: JSON in, JSON out, nothing hidden. */
export type Reply<T = Record<string, unknown>> = { status: number; headers: Headers; body: T };
export type Api = {
  token: string;
  get<T = Record<string, unknown>>(path: string): Promise<Reply<T>>;
  send<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Reply<T>>;
};

export function api(url: string, token = ""): Api {
  const send = async (method: string, path: string, body?: unknown, headers = {}): Promise<Reply<never>> => {
    const response = await fetch(url + path, {
      method,
      redirect: "manual",
      headers: {
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: parse(text) as never };
  };
  return { token, send, get: (path) => send("GET", path) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { text };
  }
}

let counter = 0;

/** A new customer with a session. */
export async function customer(url: string): Promise<Api & { accountId: string; email: string }> {
  const username = `c${Date.now().toString(36)}${process.pid}${counter++}`;
  const email = `${username}@example.org`;
  const { status, body } = await api(url).send<{ token: string }>("POST", "/api/auth/register", {
    email,
    username,
    password: "correct horse battery staple",
  });
  if (status !== 201) throw new Error(`register answered ${status}: ${JSON.stringify(body)}`);
  const session = api(url, body.token);
  const me = await session.get<{ user: { id: string } }>("/api/auth/me");
  return { ...session, accountId: me.body.user.id, email };
}

export async function operator(url: string, credentials: { email: string; password: string }): Promise<Api> {
  const { body } = await api(url).send<{ token: string }>("POST", "/api/auth/login", {
    identifier: credentials.email,
    password: credentials.password,
  });
  return api(url, body.token);
}
