import assert from "node:assert/strict";
import * as fc from "fast-check";
import { costOf, type PricedObject, type Prices, total, volumeCost } from "../../../archive/cost";
import { parsePrices } from "../../../archive/prices";

const GB = 2 ** 30;
const NOW = new Date("2026-11-21T00:00:00Z");
const PRICES: Prices = {
  currency: "USD",
  databaseGbMonth: 0.1,
  classes: {
    STANDARD: { gbMonth: 0.02, retrievalGb: 0, thousandReads: 0.5, minimumDays: 0 },
    GLACIER: { gbMonth: 0.004, retrievalGb: 0.01, thousandReads: 0.03, minimumDays: 90 },
    STANDARD_IA: { gbMonth: 0.01, minimumBytes: 131_072 },
  },
};

const daysAgo = (days: number) => new Date(NOW.getTime() - days * 86_400_000);
const near = (actual: unknown, expected: number) => assert.ok(Math.abs(Number(actual) - expected) < 1e-9, `${actual}`);

describe("the cost of an archive", () => {
  it("is by storage class", () => {
    const objects: PricedObject[] = [
      { bytes: 3 * GB, storageClass: "GLACIER", written: daysAgo(30) },
      { bytes: GB, storageClass: "GLACIER", written: daysAgo(100) },
      { bytes: 2 * GB, storageClass: "STANDARD", written: daysAgo(1) },
    ];
    const { classes, monthly, restore, bytes } = costOf(objects, PRICES, NOW);
    const [glacier, standard] = classes;
    assert.deepEqual([glacier?.storageClass, glacier?.objects, glacier?.bytes], ["GLACIER", 2, 4 * GB]);
    near(glacier?.monthly, 0.016);
    near(glacier?.early, (3 * 0.004 * 60) / 30);
    near(glacier?.restore, 0.04 + 0.00006);
    assert.match(glacier?.restoreTime ?? "", /3 to 5 hours/);
    near(standard?.early, 0);
    near(standard?.restore, 0.0005);
    near(monthly, 0.056);
    near(restore, 0.04056);
    assert.equal(bytes, 6 * GB);
  });

  it("is unknown where a price is, and never nothing", () => {
    const [one] = costOf([{ bytes: GB, storageClass: "NEW_CLASS" }], PRICES, NOW).classes;
    assert.deepEqual(one, {
      storageClass: "NEW_CLASS",
      objects: 1,
      bytes: GB,
      monthly: "unknown",
      early: "unknown",
      restore: "unknown",
      restoreTime: "unknown",
    });
    const { monthly } = costOf([{ bytes: GB, storageClass: "STANDARD" }, { bytes: 1 }], PRICES, NOW);
    assert.equal(monthly, "unknown");
    const [undated] = costOf([{ bytes: GB, storageClass: "GLACIER" }], PRICES, NOW).classes;
    assert.equal(undated?.early, "unknown");
    assert.equal(volumeCost(GB, { classes: {} }), "unknown");
    assert.equal(volumeCost(undefined, PRICES), "unknown");
    assert.equal(volumeCost(0, { classes: {} }), 0);
    near(volumeCost(2 * GB, PRICES), 0.2);
  });

  it("counts small objects as the class does", () => {
    const [one] = costOf([{ bytes: 1, storageClass: "STANDARD_IA" }], PRICES, NOW).classes;
    near(one?.monthly, (131_072 / GB) * 0.01);
    assert.equal(one?.bytes, 1);
  });

  it("is the sum of its classes, in any order of the objects", () => {
    const storageClass = fc.constantFrom("STANDARD", "GLACIER", "STANDARD_IA", undefined);
    const stored = fc.record({ bytes: fc.nat(), storageClass });
    fc.assert(
      fc.property(fc.array(stored), (objects) => {
        const list = objects.map(({ storageClass: of, bytes }) => ({ bytes, ...(of && { storageClass: of }) }));
        const there = costOf(list, PRICES, NOW);
        const back = costOf([...list].reverse(), PRICES, NOW);
        assert.equal(there.bytes, back.bytes);
        assert.deepEqual(
          there.monthly === "unknown",
          list.some((one) => !("storageClass" in one) && one.bytes > 0),
        );
        assert.equal(total(there.classes.map(({ monthly }) => monthly)), there.monthly);
      }),
    );
  });
});

describe("declared prices", () => {
  it("are read, and refused with everything that is wrong", () => {
    assert.deepEqual(parsePrices(PRICES), PRICES);
    assert.throws(
      () => parsePrices({ databaseGbMonth: -1, classes: { STANDARD: { gbmonth: 1, thousandReads: "0.1" } } }),
      (error: Error) =>
        error instanceof RangeError &&
        ["databaseGbMonth must be", "did you mean gbMonth", "classes.STANDARD.thousandReads"].every((part) =>
          error.message.includes(part),
        ),
    );
    assert.throws(() => parsePrices([]), RangeError);
  });
});
