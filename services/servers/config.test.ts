import { expect, test } from "bun:test";
import { config } from "./config.ts";

const ranges = (text: string) => config.parse({ VMID_RANGES: text }).VMID_RANGES;

test("without a setting, games have 5000 to 5999 and dev servers 6000 to 6999", () => {
  expect(config.parse({}).VMID_RANGES).toEqual({
    game: [{ from: 5000, to: 5999 }],
    dev: [{ from: 6000, to: 6999 }],
  });
});

test("a type may have several ranges, and spaces do not matter", () => {
  expect(ranges("game:100-199, dev:300-300 ,game:200-299")).toEqual({
    game: [
      { from: 100, to: 199 },
      { from: 200, to: 299 },
    ],
    dev: [{ from: 300, to: 300 }],
  });
});

test.each([
  ["", "is not of the form"],
  ["game:5000-5999", "need a range each"],
  ["game:5000-5999,dev:6000", "is not of the form"],
  ["game:5000-5999,web:6000-6999", "is not of the form"],
  ["game:5999-5000,dev:6000-6999", "larger than the last"],
  ["game:5000-6000,dev:6000-6999", "overlaps"],
  ["game:099-200,dev:6000-6999", "below 100"],
])("refused: %j", (text, reason) => {
  expect(() => ranges(text)).toThrow(reason);
});
