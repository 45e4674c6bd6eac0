import assert from "node:assert/strict";
import { expand } from "../../../topology/policy";
import type { Raw } from "./inputs";

/** The name of the period that holds `asOf`. */
function nameOf(every: string | number, asOf: string | number, more: Raw = {}, range: Raw = {}): string {
  const type = typeof every === "number" ? "bigint" : "timestamp";
  const { checked, failures } = expand({
    table: "t",
    partitionBy: { range: { column: "at", type, every, ...range } },
    window: { ahead: 0 },
    asOf,
    ...more,
  });
  assert.deepEqual(failures, []);
  return Object.keys(checked.partitions as object).join();
}

const RUN = "2026-11-21T14:30:00";

describe("names", () => {
  const table: [string | number, string, string, string][] = [
    ["hour", "t_2026_11_21_14", "t_p2026_11_21_1400", "t_p20261121_140000"],
    ["day", "t_2026_11_21", "t_p2026_11_21", "t_p20261121"],
    ["week", "t_2026_w47", "t_p2026w47", "t_p20261116"],
    ["2 weeks", "t_2026_w46", "t_p2026_11_09", "t_p20261109"],
    ["month", "t_2026_11", "t_p2026_11", "t_p20261101"],
    ["3 months", "t_2026_10", "t_p2026_10", "t_p20261001"],
    ["quarter", "t_2026_q4", "t_p2026q4", "t_p20261001"],
    ["year", "t_2026", "t_p2026", "t_p20260101"],
  ];
  for (const [every, own, partman4, partman5] of table) {
    it(`of ${every}: our own, and those of pg_partman 4 and 5`, () => {
      assert.equal(nameOf(every, RUN), own);
      assert.equal(nameOf(every, RUN, { naming: "pg_partman4" }), partman4);
      assert.equal(nameOf(every, RUN, { naming: { partitions: "pg_partman5" } }), partman5);
    });
  }

  it("of numbers are their lower bounds", () => {
    assert.equal(nameOf(1000, 2500), "t_2000");
    assert.equal(nameOf(1000, -1), "t_-1000");
    assert.equal(nameOf(1000, 2500, { naming: "pg_partman4" }), "t_p2000");
    assert.equal(nameOf(1000, 2500, { naming: "pg_partman5" }), "t_p2000");
  });

  it("are told in the grid's own time zone", () => {
    const zone = { type: "timestamptz", timezone: "America/New_York" };
    assert.equal(nameOf("month", "2026-11-01T03:00:00Z", {}, zone), "t_2026_10");
    assert.equal(nameOf("day", "2026-03-08T12:00:00Z", {}, { ...zone, timezone: "America/Havana" }), "t_2026_03_08");
  });

  it("know the ISO week of a day: 2027-01-01 is in 2026-W53", () => {
    assert.equal(nameOf("week", "2027-01-01"), "t_2026_w53");
    assert.equal(nameOf("day", "2027-01-01", { naming: "{iyyy}w{iw}" }), "2026w53");
  });

  it("keep any other text as it is, and count bytes, not characters", () => {
    assert.equal(nameOf("quarter", RUN, { naming: 'Größe "{q}"/{yyyy}' }), 'Größe "4"/2026');
    assert.equal(
      nameOf("month", RUN, { table: "ConversationMessage", naming: "conversation_message_{yyyy}_{mm}" }),
      "conversation_message_2026_11",
    );
    assert.equal(nameOf("year", RUN, { naming: `${"é".repeat(29)}_{yyyy}` }).length, 34);
  });

  it("of DEFAULT follow their own template", () => {
    const more = { defaultPartition: true, naming: { default: "rest of {table}" } };
    assert.equal(nameOf("year", RUN, more), "t_2026,rest of t");
  });
});
