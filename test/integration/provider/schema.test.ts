/** The schema, from which other languages get their classes, names exactly the properties that Check takes. */
import assert from "node:assert/strict";
import type { Properties } from "../../../provider/values";
import { Plugin } from "../../support/plugin";

interface Shape {
  properties?: Properties;
  inputProperties?: Properties;
  required?: string[];
  requiredInputs?: string[];
}

interface Schema {
  provider: Shape & { inputProperties: Record<string, { secret?: boolean }> };
  resources: Record<string, Shape>;
  types: Record<string, Shape>;
}

/** Puts a value at a path such as `indexes[0].columns[0]`. */
function at(path: string, value: unknown): Properties {
  const inner = path
    .split(/\.|(?=\[)/)
    .filter(Boolean)
    .reduceRight<unknown>((nested, key) => (key === "[0]" ? [nested] : { [key]: nested }), value);
  return inner as Properties;
}

/** Where objects of a type stand in the inputs; "" is the resource itself. `beside`: without it nothing else is looked at. */
const PLACES: {
  resource: "Table" | "PartitionSet" | "Index" | "Partition";
  path: string;
  type?: string;
  beside?: Properties;
}[] = [
  { resource: "PartitionSet", path: "" },
  { resource: "PartitionSet", path: "partitionBy", type: "PartitionBy" },
  { resource: "PartitionSet", path: "partitionBy.range", type: "RangeBy" },
  { resource: "PartitionSet", path: "partitionBy.range.changes[0]", type: "IntervalChange" },
  { resource: "PartitionSet", path: "partitionBy.list", type: "ListBy" },
  { resource: "PartitionSet", path: "partitionBy.hash", type: "HashBy" },
  { resource: "PartitionSet", path: "window", type: "Window" },
  { resource: "PartitionSet", path: "lifecycle[0]", type: "LifecycleRule" },
  { resource: "PartitionSet", path: "pins[0]", type: "Pin" },
  { resource: "PartitionSet", path: "naming", type: "Naming" },
  { resource: "PartitionSet", path: "partitions.one", type: "PartitionBound" },
  { resource: "PartitionSet", path: "subPartitionBy", type: "SubPartitionBy" },
  { resource: "PartitionSet", path: "children", type: "Children" },
  { resource: "PartitionSet", path: "archive", type: "Archive" },
  { resource: "PartitionSet", path: "archive.retention", type: "ArchiveRetention" },
  { resource: "PartitionSet", path: "archive.encryption", type: "ArchiveEncryption" },
  { resource: "PartitionSet", path: "archive.encryption.former[0]", type: "ArchiveKey" },
  { resource: "PartitionSet", path: "archive.parquet", type: "ArchiveParquet" },
  { resource: "PartitionSet", path: "storage", type: "Storage" },
  { resource: "PartitionSet", path: "storage.live", type: "TierStorage" },
  { resource: "Table", path: "" },
  { resource: "Table", path: "columns[0]", type: "Column" },
  { resource: "Table", path: "columns[0].generated", type: "Generated" },
  { resource: "Table", path: "primaryKey", type: "Key" },
  { resource: "Table", path: "unique[0]", type: "UniqueKey" },
  { resource: "Table", path: "checks[0]", type: "Check" },
  { resource: "Table", path: "foreignKeys[0]", type: "ForeignKey" },
  { resource: "Table", path: "foreignKeys[0].references", type: "References" },
  { resource: "Table", path: "indexes[0]", type: "TableIndex" },
  { resource: "Table", path: "indexes[0].columns[0]", type: "IndexColumn", beside: { column: "a" } },
  { resource: "Index", path: "" },
  { resource: "Partition", path: "" },
  { resource: "Partition", path: "bound", type: "Bound" },
];

/** Types of outputs only. */
const OUTPUT_TYPES = ["ArchivedCopy", "Identity"];

/** A property that no declared one is near to, so that the refusal lists what there is. */
const STRANGER = "zzzzzzzzzzzzzzzzzzzz";

describe("the schema", () => {
  let plugin: Plugin;
  let schema: Schema;

  before(async () => {
    // Nothing is logged by Check, so nobody has to listen at the engine's address.
    plugin = await Plugin.start("127.0.0.1:1");
    schema = JSON.parse(await plugin.schema()) as Schema;
  });
  after(() => plugin?.stop());

  const token = (name: string) => `pgpartition:index:${name}`;

  it("has the resources that the provider has, and every type of it is used at a place that is compared here", () => {
    assert.deepEqual(Object.keys(schema.resources).sort(), ["Index", "Partition", "PartitionSet", "Table"].map(token));
    const compared = [...PLACES.flatMap(({ type }) => type ?? []), ...OUTPUT_TYPES].map(token);
    assert.deepEqual(Object.keys(schema.types).sort(), compared.sort());
  });

  it("refers only to types that it has", () => {
    const references = JSON.stringify(schema).match(/#\/types\/[^"]+/g) ?? [];
    const missing = references.filter((reference) => !Object.hasOwn(schema.types, reference.slice("#/types/".length)));
    assert.deepEqual(missing, []);
  });

  for (const { resource, path, type, beside } of PLACES) {
    it(`names the properties that Check takes for ${resource}${path === "" ? "" : `.${path}`}`, async () => {
      const { failures } = await plugin.check(resource, at(path, { ...beside, [STRANGER]: 1 }));
      const reason = failures[path === "" ? STRANGER : `${path}.${STRANGER}`] ?? JSON.stringify(failures);
      const taken = (/(?:there are|allowed:) (.*)$/.exec(reason)?.[1] ?? reason).split(", ");
      const shape = type === undefined ? schema.resources[token(resource)] : schema.types[token(type)];
      assert.deepEqual(Object.keys(shape?.inputProperties ?? shape?.properties ?? {}).sort(), taken.sort());
    });
  }

  for (const { resource, path, type } of PLACES) {
    it(`requires what Check requires for ${resource}${path === "" ? "" : `.${path}`}`, async () => {
      const { failures } = await plugin.check(resource, at(path, {}));
      const prefix = path === "" ? "" : `${path}.`;
      const missing = Object.entries(failures).filter(
        ([property, reason]) => property.startsWith(prefix) && reason === "is required",
      );
      const required = missing.map(([property]) => property.slice(prefix.length)).filter((name) => !/[.[]/.test(name));
      const shape = type === undefined ? schema.resources[token(resource)] : schema.types[token(type)];
      assert.deepEqual([...(shape?.requiredInputs ?? shape?.required ?? [])].sort(), required.sort());
    });
  }

  it("names the properties that the provider's configuration takes, and the same secrets", async () => {
    const { failures } = await plugin.checkConfig({ [STRANGER]: "1" });
    const known = /the provider knows (.*)\.$/.exec(failures[STRANGER] ?? "")?.[1]?.split(", ") ?? [];
    assert.deepEqual(Object.keys(schema.provider.inputProperties).sort(), known.sort());
    const secret = Object.entries(schema.provider.inputProperties).flatMap(([name, property]) =>
      property.secret ? [name] : [],
    );
    const all = Object.fromEntries(known.map((name) => [name, "1"]));
    assert.deepEqual(secret.sort(), (await plugin.checkConfig(all)).secrets);
  });

  it("has every input among the outputs, which are what a resource returns", () => {
    for (const [name, { inputProperties, properties }] of Object.entries(schema.resources)) {
      const missing = Object.keys(inputProperties ?? {}).filter((input) => !Object.hasOwn(properties ?? {}, input));
      assert.deepEqual(missing, [], name);
    }
  });
});
