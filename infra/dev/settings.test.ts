import { expect, test } from "bun:test";
import { readSettings } from "./settings.ts";

test("without settings: the checkout's own home, port 4000, this machine only", () => {
  expect(readSettings("/checkout", {})).toMatchObject({
    home: "/checkout/.zpack",
    port: 4000,
    bind: "127.0.0.1",
    publicUrl: "http://127.0.0.1:4000",
    usesLocalHost: true,
    mirrorLogs: false,
  });
});

test.each(["0.0.0.0", "::", "192.0.2.7", "host.example"])(
  "%s is no loopback address: it needs trust",
  (ZPACK_BIND) => {
    expect(() => readSettings("/checkout", { ZPACK_BIND })).toThrow(/ZPACK_LOCAL_HOST_TRUSTED=1/);
    expect(readSettings("/checkout", { ZPACK_BIND, ZPACK_LOCAL_HOST_TRUSTED: "1" }).bind).toBe(ZPACK_BIND);
    expect(readSettings("/checkout", { ZPACK_BIND, PROXMOX_HOST: "https://pve.example:8006" }).bind).toBe(
      ZPACK_BIND,
    );
  },
);

test.each(["127.0.0.1", "127.1.2.3", "::1", "localhost"])("%s is a loopback address", (ZPACK_BIND) => {
  expect(readSettings("/checkout", { ZPACK_BIND }).bind).toBe(ZPACK_BIND);
});

test("what people open is an address that can be opened", () => {
  const trusted = { ZPACK_LOCAL_HOST_TRUSTED: "1" };
  expect(readSettings("/c", { ...trusted, ZPACK_BIND: "0.0.0.0" }).publicUrl).toBe("http://127.0.0.1:4000");
  expect(readSettings("/c", { ZPACK_BIND: "::1", ZPACK_PORT: "80" }).publicUrl).toBe("http://[::1]:80");
  expect(readSettings("/c", { ZPACK_PUBLIC_URL: "https://a.example" }).publicUrl).toBe("https://a.example");
});

test("all wrong settings are named in one message", () => {
  expect(() => readSettings("/c", { ZPACK_PORT: "70000", ZPACK_LOGS: "loud" })).toThrow(
    /ZPACK_PORT.*\n.*ZPACK_LOGS/,
  );
});
