import { expect, test } from "bun:test";
import { clearedRefreshCookie, endsSession, refreshCookie } from "./cookie.ts";

test.each(["http://localhost:4000", "http://127.0.0.1:4000", "http://127.8.0.1", "http://[::1]:4000"])(
  "on loopback without TLS (%s) the cookie is not marked as secure, and all else holds",
  (publicUrl) => {
    expect(refreshCookie("abc", { publicUrl, maxAgeSeconds: 60 })).toBe(
      "zpack_refresh=abc; Max-Age=60; Path=/api/auth; HttpOnly; SameSite=Strict",
    );
  },
);

test.each([
  "https://localhost:4000",
  "https://zpack.example",
  "http://zpack.example",
  "http://10.0.0.1",
  "http://localhost.example",
  "http://127.0.0.1.example",
])("everywhere else (%s) it is secure", (publicUrl) => {
  expect(refreshCookie("abc", { publicUrl, maxAgeSeconds: 60 })).toBe(
    "zpack_refresh=abc; Max-Age=60; Path=/api/auth; HttpOnly; Secure; SameSite=Strict",
  );
});

test("a cleared cookie has the attributes of the one that it replaces", () => {
  expect(clearedRefreshCookie("https://zpack.example")).toBe(
    "zpack_refresh=; Max-Age=0; Path=/api/auth; HttpOnly; Secure; SameSite=Strict",
  );
});

test("answers that end a session clear the cookie, and no others", () => {
  const codes = ["auth.session_outdated", "gateway.refresh_reused", "gateway.refresh_invalid"];
  expect(codes.every(endsSession)).toBe(true);
  expect(["auth.invalid_token", "auth.required", "limit.exceeded"].some(endsSession)).toBe(false);
});
