/** Programs as `pgpartition inspect` prints them. */
import assert from "node:assert/strict";
import { resolve } from "node:path";
import ts from "typescript";
import { literal } from "../../../cli/literal";
import type { Look } from "../../../cli/look";
import { parseRelationName } from "../../../cli/relationName";
import { FORMATS, write } from "../../../cli/write";

const LOOK: Look = {
  set: {
    table: "events",
    partitionBy: { range: { column: "at", type: "timestamptz", every: "month" } },
    window: { from: "2026-01", ahead: 3 },
    asOf: "2026-11",
    partitions: { "events ${old}": { from: "MINVALUE", to: "2026-01-01 00:00:00+00" } },
  },
  table: {
    columns: [
      { name: "id", type: "bigint", identity: "always" },
      { name: "at", type: "timestamptz", nullable: false, default: "now()" },
    ],
    primaryKey: ["id", "at"],
  },
  notes: [{ severity: "warning", text: "One thing to know. ".repeat(8).trim() }],
};

const TYPESCRIPT = `import { PartitionedTable } from "pulumi-pgpartition";

// Note: One thing to know. One thing to know. One thing to know. One thing to know. One thing to know. One thing
// to know. One thing to know. One thing to know.
new PartitionedTable("events", {
  columns: [
    { name: "id", type: "bigint", identity: "always" },
    { name: "at", type: "timestamptz", nullable: false, default: "now()" },
  ],
  primaryKey: ["id", "at"],
  partitionBy: { range: { column: "at", type: "timestamptz", every: "month" } },
  window: { from: "2026-01", ahead: 3 },
  asOf: "2026-11",
  partitions: { "events \${old}": { from: "MINVALUE", to: "2026-01-01 00:00:00+00" } },
});
`;

const YAML = `# Note: One thing to know. One thing to know. One thing to know. One thing to know. One thing to know. One thing
# to know. One thing to know. One thing to know.
resources:
  events:
    type: pgpartition:index:PartitionSet
    name: events
    properties:
      table: events
      partitionBy:
        range:
          column: at
          type: timestamptz
          every: month
      window:
        from: 2026-01
        ahead: 3
      asOf: 2026-11
      partitions:
        events $\${old}:
          from: MINVALUE
          to: "2026-01-01 00:00:00+00"
`;

/** Failures of a program against the types of this package. */
function typeErrors(program: string): string[] {
  const root = resolve(__dirname, "../../..");
  const file = resolve(root, "printed.ts");
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2022,
    lib: ["lib.es2023.d.ts"],
    module: ts.ModuleKind.CommonJS,
    esModuleInterop: true,
    ignoreDeprecations: "6.0",
    moduleResolution: ts.ModuleResolutionKind.Node10,
    types: ["node"],
    paths: { "pulumi-pgpartition": [resolve(root, "components/index.ts")] },
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === file || fileExists(name);
  host.getSourceFile = (name, ...rest) =>
    name === file ? ts.createSourceFile(name, program, ts.ScriptTarget.ES2022) : getSourceFile(name, ...rest);
  return ts
    .getPreEmitDiagnostics(ts.createProgram([file], options, host))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
}

describe("What inspect prints", () => {
  it("is a TypeScript program that compiles", () => {
    assert.equal(write(LOOK, "typescript"), TYPESCRIPT);
    assert.deepEqual(typeErrors(TYPESCRIPT), []);
    assert.match(typeErrors(TYPESCRIPT.replace("ahead: 3", "ahead: true")).join(), /boolean/);
  });

  it("is a YAML program", () => {
    assert.equal(write({ ...LOOK, table: undefined }, "yaml"), YAML);
    assert.match(write(LOOK, "yaml"), /events_table:\n {4}type: pgpartition:index:Table\n[\s\S]*- \$\{events_table\}/);
  });

  it("is the set alone without the table", () => {
    assert.match(
      write({ ...LOOK, table: undefined }, "typescript"),
      /new PartitionSet\("events", \{\n {2}table: "events",/,
    );
  });

  it("is the same text for the same description", () => {
    for (const format of FORMATS) assert.equal(write(structuredClone(LOOK), format), write(LOOK, format));
  });

  it("quotes what is no identifier", () => {
    assert.equal(
      literal({ "a-b": 1, __proto__x: [], ["__proto__"]: {} }),
      '{\n  "a-b": 1,\n  __proto__x: [],\n  ["__proto__"]: {},\n}',
    );
  });
});

describe("Names on the command line", () => {
  it("are read with and without quotes", () => {
    assert.deepEqual(parseRelationName("events"), { schema: "public", name: "events" });
    assert.deepEqual(parseRelationName("App.Events"), { schema: "App", name: "Events" });
    assert.deepEqual(parseRelationName('"a.b"."c""d"'), { schema: "a.b", name: 'c"d' });
    for (const wrong of ["", "a.b.c", ".a", "a."]) assert.equal(parseRelationName(wrong), undefined);
  });
});
