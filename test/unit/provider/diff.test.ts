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
});
