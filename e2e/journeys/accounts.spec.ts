import { type Api, api, type Reply } from "#e2e/client.ts";
import { expect, test } from "#e2e/fixtures.ts";

type Person = { username: string; email: string; password: string };
type Session = Api & { cookie: string };
type Entry = { action: string; actor: string | null; apiKey: string | null; target: string | null };
type Issued = { token: string; expiresIn: number };

let count = 0;
function somebody(): Person {
  const username = `j${Date.now().toString(36)}${process.pid}${count++}`;
  return { username, email: `${username}@example.org`, password: "correct horse battery staple" };
}

/** The refresh token that an answer gives to the cookie; empty where it takes it away or says nothing of it. */
const cookieOf = ({ headers }: Reply<unknown>): string =>
  /^zpack_refresh=([^;]*)/.exec(headers.get("set-cookie") ?? "")?.[1] ?? "";

const sessionOf = (url: string, answer: Reply<Issued>): Session => ({
  ...api(url, answer.body.token),
  cookie: cookieOf(answer),
});

const register = async (url: string, person: Person): Promise<Session> =>
  sessionOf(url, await api(url).send<Issued>("POST", "/api/auth/register", person));

const login = (url: string, { username: identifier, password }: Person) =>
  api(url).send<Issued>("POST", "/api/auth/login", { identifier, password });

const refresh = (url: string, cookie: string) =>
  api(url).send<Issued & { code: string }>("POST", "/api/auth/refresh", undefined, {
    cookie: `zpack_refresh=${cookie}`,
  });

const statusOf = async (client: Api) => (await client.get("/api/auth/me")).status;

test("a session is refreshed by its cookie, and ends when a used one comes back", async ({ url }) => {
  const first = await register(url, somebody());
  const answer = await refresh(url, first.cookie);
  expect(answer).toMatchObject({ status: 200, body: { token: expect.any(String), expiresIn: 3600 } });
  expect(answer.headers.get("set-cookie")).toMatch(/; Path=\/api\/auth; HttpOnly; SameSite=Strict$/);
  const second = sessionOf(url, answer);
  expect(second.cookie).toMatch(/^[\w-]{43}$/);
  expect(second.cookie).not.toBe(first.cookie);
  const third = sessionOf(url, await refresh(url, second.cookie));
  expect(await Promise.all([first, second, third].map(statusOf))).toEqual([200, 200, 200]);

  // Whoever stole the first cookie is found out, and so is whoever it was stolen from.
  const reused = await refresh(url, first.cookie);
  expect(reused).toMatchObject({ status: 401, body: { code: "gateway.refresh_reused" } });
  expect(reused.headers.get("set-cookie")).toContain("zpack_refresh=; Max-Age=0");
  expect(await Promise.all([first, second, third].map(statusOf))).toEqual([401, 401, 401]);
  expect((await refresh(url, third.cookie)).body.code).toBe("gateway.refresh_invalid");
});

test("of ten refreshes at once with one cookie one succeeds, and the session is over", async ({ url }) => {
  const { cookie } = await register(url, somebody());
  const answers = await Promise.all(Array.from({ length: 10 }, () => refresh(url, cookie)));
  const won = answers.filter(({ status }) => status === 200);
  expect(won).toHaveLength(1);
  for (const answer of won) {
    expect(await statusOf(sessionOf(url, answer))).toBe(401);
    expect((await refresh(url, cookieOf(answer))).status).toBe(401);
  }
});

test("a logout ends its session at once, a logout everywhere all of them", async ({ url }) => {
  const ada = somebody();
  const [one, two, three] = [
    await register(url, ada),
    sessionOf(url, await login(url, ada)),
    sessionOf(url, await login(url, ada)),
  ];
  const sessions = await one.get<{ sessions: { current: boolean }[] }>("/api/auth/sessions");
  expect(sessions.body.sessions.map(({ current }) => current)).toEqual([false, false, true]);

  const out = await one.send("POST", "/api/auth/logout", {}, { cookie: `zpack_refresh=${one.cookie}` });
  expect(out.status).toBe(200);
  expect(out.headers.get("set-cookie")).toContain("zpack_refresh=; Max-Age=0");
  expect(await Promise.all([one, two, three].map(statusOf))).toEqual([401, 200, 200]);
  expect((await refresh(url, one.cookie)).status).toBe(401);

  expect((await two.send("POST", "/api/auth/logout/all", {})).status).toBe(200);
  expect(await Promise.all([two, three].map(statusOf))).toEqual([401, 401]);
  expect((await refresh(url, three.cookie)).status).toBe(401);
});

test("a logout with a token that has expired takes the cookie away all the same", async ({ url }) => {
  const { cookie } = await register(url, somebody());
  const logout = (token: string, headers = {}) =>
    api(url, token).send("POST", "/api/auth/logout", undefined, {
      cookie: `zpack_refresh=${cookie}`,
      ...headers,
    });
  for (const token of ["", "an.old.token"]) {
    const { status, headers } = await logout(token);
    expect([status, headers.get("set-cookie")]).toEqual([401, expect.stringContaining("=; Max-Age=0")]);
  }
  const foreign = await logout("", { origin: "https://elsewhere.example" });
  expect([foreign.status, foreign.headers.get("set-cookie")]).toEqual([403, null]);
});

test("a changed password leaves the session that changed it, and no other", async ({ url, operator }) => {
  const ada = somebody();
  const [here, elsewhere] = [await register(url, ada), sessionOf(url, await login(url, ada))];
  const newPassword = "staple battery horse correct";
  const change = (currentPassword: string, also = {}) =>
    here.send("POST", "/api/auth/password/change", { currentPassword, newPassword, ...also });
  const deploy = { name: "deploy", scopes: ["servers:read"] };
  const made = await here.send<{ key: string }>("POST", "/api/auth/keys", deploy);
  const keyStatus = async () => (await api(url, made.body.key).get("/api/servers")).status;
  expect(await change("a wrong one")).toMatchObject({
    status: 403,
    body: { code: "gateway.wrong_password" },
  });
  expect((await change(ada.password)).status).toBe(200);
  expect(await Promise.all([here, elsewhere].map(statusOf))).toEqual([200, 401]);
  expect((await refresh(url, elsewhere.cookie)).status).toBe(401);
  expect((await login(url, ada)).status).toBe(401);
  expect((await login(url, { ...ada, password: newPassword })).status).toBe(200);
  expect(await keyStatus()).toBe(200);
  expect((await change(newPassword, { revokeApiKeys: true })).status).toBe(200);
  expect(await keyStatus()).toBe(401);

  // Who forgot it gets the same answer whether there is such an account; its mail waits for whoever delivers it.
  const forgot = (email: string) => api(url).send("POST", "/api/auth/password/forgot", { email });
  const answers = [await forgot(ada.email), await forgot(`nobody-${ada.email}`)];
  expect(answers.map(({ status, body }) => ({ status, body }))).toEqual([
    { status: 202, body: { ok: true } },
    { status: 202, body: { ok: true } },
  ]);
  await expect
    .poll(async () => JSON.stringify((await operator.get("/api/admin/mail?limit=200")).body))
    .toContain(`"${ada.email}"`);
});

test("an API key does what its scopes say until it is revoked, and the log shows who did what", async ({
  url,
  ada,
}) => {
  const made = await ada.send<{ key: string; apiKey: { id: string } }>("POST", "/api/auth/keys", {
    name: "deploy",
    scopes: ["servers:read", "audit:read"],
  });
  expect(made.status).toBe(201);
  const { id } = made.body.apiKey;
  const key = api(url, made.body.key);
  expect((await key.get("/api/servers")).status).toBe(200);
  expect(await key.get("/api/auth/me")).toMatchObject({
    status: 403,
    body: { code: "auth.scope_missing", details: { scope: "account:read" } },
  });
  const more = { name: "more", scopes: ["servers:delete"] };
  expect(await key.send("POST", "/api/auth/keys", more)).toMatchObject({
    status: 403,
    body: { code: "auth.session_needed" },
  });
  expect(await ada.send("POST", "/api/auth/keys", { ...more, scopes: ["admin:read"] })).toMatchObject({
    status: 403,
    body: { code: "gateway.key_scope_denied" },
  });
  const bound = { name: "bound", scopes: ["servers:read"], cidrs: ["203.0.113.0/24"] };
  const far = await ada.send<{ key: string }>("POST", "/api/auth/keys", bound);
  const spoofed = { "x-forwarded-for": "203.0.113.1" };
  expect(await api(url, far.body.key).send("GET", "/api/servers", undefined, spoofed)).toMatchObject({
    status: 403,
    body: { code: "guard.ip_denied" },
  });
  expect((await ada.get<{ keys: object[] }>("/api/auth/keys")).body.keys).toHaveLength(2);
  const log = await key.get<{ entries: Entry[] }>("/api/audit");
  expect((await ada.send("DELETE", `/api/auth/keys/${id}`)).status).toBe(200);
  expect((await key.get("/api/servers")).status).toBe(401);

  const after = await ada.get<{ entries: Entry[] }>("/api/audit");
  expect(after.body.entries.map(({ action }) => action)).toEqual([
    "key.revoke",
    "key.create",
    "key.create",
    "account.register",
  ]);
  expect(after.body.entries.slice(1)).toEqual(log.body.entries);
  expect(after.body.entries[0]).toMatchObject({ actor: ada.accountId, target: id });
  expect(JSON.stringify(after.body)).not.toContain(made.body.key.slice(-20));
});
