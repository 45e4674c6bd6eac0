import assert from "node:assert/strict";
import { checkConfig, connectionOf, diffConfig } from "../../../provider/config";
import { UNKNOWN } from "../../../topology/unknown";

describe("provider configuration", () => {
  it("always returns passwords as secrets", () => {
    const { secrets } = checkConfig({ host: "db", password: "p" });
    assert.deepEqual([...secrets].sort(), ["connectionString", "password"]);
  });

  for (const [property, value] of [
    ["port", "0"],
    ["port", "five"],
    ["port", 65536],
    ["sslmode", "on"],
    ["maxConnections", 0],
    ["lockTimeoutMs", 1000],
    ["lockBudgetSeconds", 1.5],
    ["hots", "db"],
  ] as const) {
    it(`refuses ${property} = ${JSON.stringify(value)} under its name`, () => {
      assert.deepEqual(
        checkConfig({ [property]: value }).failures.map((failure) => failure.property),
        [property],
      );
    });
  }

  it("takes numbers as the strings that provider inputs are", () => {
    assert.deepEqual(connectionOf({ host: "db", port: "5433", maxConnections: "2", version: "0.1.0" }), {
      host: "db",
      port: 5433,
      maxConnections: 2,
    });
  });

  it("leaves what is unknown to the environment of the preview", () => {
    assert.deepEqual(connectionOf({ host: UNKNOWN, database: "app" }), { database: "app" });
  });

  it("never replaces the provider", () => {
    const kinds = diffConfig({ host: "a", port: "1", password: "x" }, { host: "b", port: "2", password: "y" });
    assert.deepEqual(
      kinds.map(({ path, kind }) => [path, kind]),
      [
        ["host", "update"],
        ["port", "update"],
        ["password", "update"],
      ],
    );
    assert.deepEqual(diffConfig({ host: "a" }, { host: UNKNOWN }), []);
  });
});
