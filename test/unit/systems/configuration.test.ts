import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { load } from "js-yaml";
import { ConfigurationError, parseConfiguration } from "../../../systems/configuration";
import { lifecycle } from "../../../systems/environment";

const ROOT = join(__dirname, "../../..");

function committed(stack: string): Record<string, unknown> {
  const document = load(readFileSync(join(ROOT, `Pulumi.${stack}.yaml`), "utf8")) as {
    config: Record<string, unknown>;
  };
  return Object.fromEntries(
    Object.entries(document.config)
      .filter(([key]) => key.startsWith("pgpartition-stack:"))
      .map(([key, value]) => [key.replace("pgpartition-stack:", ""), value]),
  );
}

function failuresOf(change: (raw: Record<string, unknown>) => void): string[] {
  const raw = structuredClone(committed("dev"));
  change(raw);
  try {
    parseConfiguration(raw, "dev");
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    return error.failures;
  }
}

type Windows = Record<string, Record<string, unknown>>;

describe("configuration of the stack", () => {
  for (const stack of ["dev", "staging", "prod"]) {
    it(`of ${stack} is valid as committed`, () => {
      assert.equal(parseConfiguration(committed(stack), stack).environment, stack);
    });
  }

  it("keeps less in staging than in prod, and guards prod", () => {
    const staging = parseConfiguration(committed("staging"), "staging");
    const prod = parseConfiguration(committed("prod"), "prod");
    assert.ok(staging.windows.conversationMessages.from > prod.windows.conversationMessages.from);
    assert.deepEqual([prod.protect, prod.unmanaged, prod.onDelete], [true, "refuse", "refuse"]);
  });

  it("archives conversations in every environment: exported, then archived, and in staging given up at last", () => {
    const tiers = (stack: string) =>
      lifecycle(parseConfiguration(committed(stack), stack).windows.conversationMessages).map(({ tier }) => tier);
    assert.deepEqual(["dev", "prod", "staging"].map(tiers), [
      ["exported", "archived"],
      ["exported", "archived"],
      ["exported", "archived", "dropped"],
    ]);
    const place = (stack: string) => parseConfiguration(committed(stack), stack).archive;
    assert.deepEqual([place("dev")?.in, place("staging")?.in, place("prod")?.in], ["directory", "bucket", "bucket"]);
    assert.ok(place("prod")?.lock);
  });

  it("is refused for another stack than its own", () => {
    assert.throws(() => parseConfiguration(committed("dev"), "prod"), /environment: the configuration is for "dev"/);
  });

  const cases: [string, (raw: Record<string, unknown>) => void, RegExp][] = [
    ["an unknown key", (raw) => Object.assign(raw, { protct: true }), /^protct: unknown; known here are .*protect/],
    ["a wrong flag", (raw) => Object.assign(raw, { protect: "yes" }), /^protect: must be true or false, not "yes"/],
    ["a date that is none", (raw) => Object.assign(raw, { asOf: "November" }), /^asOf: must be a date/],
    ["an unknown mode", (raw) => Object.assign(raw, { unmanaged: "drop" }), /^unmanaged: must be one of ignore/],
    ["a missing window", (raw) => delete (raw.windows as Windows).messageQueue, /^windows\.messageQueue: missing/],
    [
      "a negative window",
      (raw) => Object.assign((raw.windows as Windows).chatMessages!, { ahead: -1 }),
      /^windows\.chatMessages\.ahead: must be a whole number from 0/,
    ],
    [
      "an unknown key of a window",
      (raw) => Object.assign((raw.windows as Windows).chatMessages!, { behind: 1 }),
      /^windows\.chatMessages\.behind: unknown/,
    ],
    [
      "an archive in no known place",
      (raw) => Object.assign(raw, { archive: { in: "cloud" } }),
      /^archive\.in: must be one of directory, bucket, not "cloud"/,
    ],
    [
      "a lock without its days",
      (raw) => Object.assign(raw, { archive: { in: "bucket", lock: { mode: "GOVERNANCE" } } }),
      /^archive\.lock\.days: missing/,
    ],
    [
      "a pin without its end",
      (raw) => Object.assign((raw.windows as Windows).conversationMessages!, { pins: [{ from: "2026-09" }] }),
      /^windows\.conversationMessages\.pins: \[0\]\.to: missing, not \[/,
    ],
    [
      "a wrong port",
      (raw) => Object.assign(raw, { connection: { port: 70000 } }),
      /^connection\.port: must be a whole number from 1 to 65535/,
    ],
  ];
  for (const [what, change, expected] of cases) {
    it(`names ${what} with its path`, () => {
      const failures = failuresOf(change);
      assert.equal(failures.length, 1, failures.join("\n"));
      assert.match(failures[0]!, expected);
    });
  }

  it("names everything at once", () => {
    const failures = failuresOf((raw) => Object.assign(raw, { protect: 1, asOf: 5, more: 1 }));
    assert.equal(failures.length, 3);
  });
});
