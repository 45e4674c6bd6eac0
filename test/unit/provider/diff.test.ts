import assert from "node:assert/strict";
import { diffSet } from "../../../provider/partitionSet/diff";
import { diffTable } from "../../../provider/table/diff";

const paths = ({ differences }: { differences: { path: string; kind: string }[] }) =>
  differences.map(({ path, kind }) => `${kind} ${path}`).sort();

describe("the diff of an imported", () => {
  const key = { range: { column: "at", type: "date" } };
  const oldInputs = { schema: "public", table: "events", partitionBy: key, partitions: { e: { from: "1", to: "2" } } };
  const partitions = { e: { from: "1", to: "2", tier: "live" } };
  const olds = { ...oldInputs, partitions, oids: { e: 1 }, imported: true };
  const policy = {
    schema: "public",
    table: "events",
    partitionBy: { range: { ...key.range, every: "month" } },
    unmanaged: "report",
    onDelete: "refuse",
    partitions,
  };

  it("set is empty for a policy that comes to the same partitions", () => {
    assert.deepEqual(paths(diffSet({ id: "x", olds, oldInputs, news: policy })), []);
  });

  it("set still tells another table", () => {
    const news = { ...policy, table: "other" };
    assert.deepEqual(paths(diffSet({ id: "x", olds, oldInputs, news })), ["updateReplace table"]);
  });

  it("set is as any other's once a program has been applied", () => {
    const news = { ...policy, onDelete: "detach" };
    assert.deepEqual(paths(diffSet({ id: "x", olds, oldInputs: policy, news })), ["update onDelete"]);
  });

  it("table is empty for declared columns, with a warning that they are not compared", () => {
    const imported = { schema: "public", name: "events", partitionBy: { range: { columns: ["at"] } } };
    const news = { ...imported, columns: [{ name: "at", type: "date" }], indexes: [] };
    const request = { id: "x", olds: { ...imported, drift: [], imported: true }, oldInputs: imported, news };
    assert.deepEqual(paths(diffTable(request)), []);
    assert.match(diffTable(request).warnings?.join() ?? "", /was imported/);
    const later = { ...request, oldInputs: news, news: { ...news, comment: "new" } };
    assert.deepEqual(diffTable({ ...later, olds: { ...later.olds, imported: false } }).warnings, []);
    assert.deepEqual(paths(diffTable({ ...later, news: { ...news, indexes: [{ name: "i" }] } })), ["update indexes"]);
  });
});

describe("the diff of a set with a partition that was renamed outside", () => {
  it("shows the name that goes and the name that comes, and does not call it undeclared", () => {
    const april = { from: "2026-04-01", to: "2026-05-01", tier: "live" };
    const partitionBy = { range: { column: "at", type: "date" } };
    const news = { schema: "public", table: "events", partitionBy, unmanaged: "report", partitions: { april } };
    const olds = { ...news, partitions: { renamed: april }, oids: { renamed: 7, april: 7 } };
    const found = diffSet({ id: "x", olds, oldInputs: news, news });
    assert.deepEqual(paths(found), ["add partitions.april", "delete partitions.renamed"]);
    assert.deepEqual(found.warnings, []);
  });

  it("leaves a detached one under its former name, and shows it again once it is to be dropped", () => {
    const bound = { from: "2026-04-01", to: "2026-05-01" };
    const partitionBy = { range: { column: "at", type: "date" } };
    const set = { schema: "public", table: "events", partitionBy, unmanaged: "report" };
    const news = (tier: string) => ({ ...set, partitions: { april: { ...bound, tier } } });
    const olds = { ...set, partitions: { former: { ...bound, tier: "detached" } }, oids: { former: 7, april: 7 } };
    const found = (tier: string) => paths(diffSet({ id: "x", olds, oldInputs: news("detached"), news: news(tier) }));
    assert.deepEqual(found("detached"), []);
    assert.deepEqual(found("dropped"), ["delete partitions.former"]);
    assert.deepEqual(found("live"), ["add partitions.april", "delete partitions.former"]);
  });
});

describe("the diff of a set whose partitions below a partition are divided otherwise", () => {
  it("shows those that give their rows away, and calls only the others undeclared", () => {
    const key = { range: { column: "at", type: "date" } };
    const list = { list: { column: "region", type: "text" } };
    const leaf = (from: string, to: string) => ({ from, to, tier: "live" });
    const eu = (partitions: object) => ({ eu: { values: ["eu"], tier: "live", partitionBy: key, partitions } });
    const set = { schema: "public", table: "events", partitionBy: list, unmanaged: "report", reorganize: "online" };
    const halves = { h1: leaf("2026-01-01", "2026-07-01"), h2: leaf("2026-07-01", "2027-01-01") };
    const news = { ...set, partitions: eu(halves) };
    const there = { year: leaf("2026-01-01", "2027-01-01"), old: leaf("2020-01-01", "2021-01-01") };
    const olds = { ...set, partitions: eu(there), oids: { eu: 1, year: 2, old: 3 } };
    const found = diffSet({ id: "x", olds, oldInputs: news, news });
    assert.deepEqual(paths(found), [
      "add partitions.eu.partitions.h1",
      "add partitions.eu.partitions.h2",
      "delete partitions.eu.partitions.year",
    ]);
    assert.match(found.warnings.join(), /has 1 attached partition\(s\) that nobody declares: old/);
  });
});

describe("the diff of a set with a table that is to be divided otherwise", () => {
  const below = { e_0: { modulus: 1, remainder: 0, tier: "live" } };
  const hash = { hash: { columns: ["id"] } };
  const set = { schema: "public", table: "t", partitionBy: { list: { column: "r", type: "text" } } };
  const olds = { ...set, partitions: { e: { values: ["e"], tier: "live", partitionBy: hash, partitions: below } } };
  const found = (entry: object, unmanaged = "report") => {
    const news = { ...set, unmanaged, partitions: { e: { values: ["e"], tier: "live", ...entry } } };
    return diffSet({ id: "x", olds, oldInputs: { ...news, ...olds }, news });
  };

  it("shows its key, and calls nothing below it undeclared", () => {
    const list = { partitionBy: { list: { column: "q" } }, partitions: { e_a: { values: ["a"], tier: "live" } } };
    for (const unmanaged of ["report", "refuse"]) {
      assert.deepEqual(paths(found({ leaf: true }, unmanaged)), ["delete partitions.e.partitionBy"]);
      assert.deepEqual(paths(found(list, unmanaged)), ["update partitions.e.partitionBy"]);
      assert.deepEqual(found({ leaf: true }, unmanaged).warnings, []);
      assert.deepEqual(found(list, unmanaged).warnings, []);
    }
  });

  it("is empty, with a warning, when nothing is said of it", () => {
    assert.deepEqual(paths(found({})), []);
    assert.match(found({}).warnings.join(), /1 attached partition\(s\) that nobody declares: e_0/);
  });
});
