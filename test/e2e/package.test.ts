/** The package as another project gets it: packed, installed from the tarball, and README's example run as it stands there. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type TestDatabase, testMajors, testServer } from "../support/postgres";
import { Project } from "../support/project";

const ROOT = resolve(__dirname, "../..");

/** What belongs into the tarball, and nothing else. */
const PACKED = [
  /^(LICENSE|README\.md|package\.json|schema\.json)$/,
  /^bin\/(pgpartition|pulumi-resource-pgpartition)$/,
  /^dist\/(archive|cli|components|resources|provider|postgres|topology)\/[\w/-]+(\.js|\.d\.ts)$/,
];

/** The first code block of a language in README. */
async function exampleOf(language: string): Promise<string> {
  const readme = await readFile(join(ROOT, "README.md"), "utf8");
  const block = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(readme)?.[1];
  assert.ok(block, `README has no ${language} example`);
  return block;
}

const RESOLUTIONS: Record<string, string[]> = {
  node10: ["--module", "commonjs", "--moduleResolution", "node10", "--ignoreDeprecations", "6.0"],
  node16: ["--module", "node16", "--moduleResolution", "node16"],
};

describe("the package", function () {
  this.timeout(0);
  let project: Project;
  let database: TestDatabase;
  let files: string[];

  before(async () => {
    database = await (await testServer(testMajors().at(-1) ?? 18)).createDatabase();
    project = await Project.create();
    const { directory } = project;
    // The suite has compiled; a second build would take `dist` away from the tests that run beside this one.
    const pack = ["pack", ROOT, "--json", "--ignore-scripts", "--pack-destination", directory];
    const { stdout } = await project.mustRun("npm", pack);
    const [packed] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
    files = packed.files.map(({ path }) => path);

    const { devDependencies } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
    const dependencies = {
      "pulumi-pgpartition": `file:${packed.filename}`,
      typescript: devDependencies.typescript,
      "@types/node": devDependencies["@types/node"],
    };
    const manifest = { name: "consumer", version: "0.0.0", private: true, main: "index.ts", dependencies };
    await writeFile(join(directory, "package.json"), JSON.stringify(manifest));
    await writeFile(join(directory, "Pulumi.yaml"), `name: consumer\nruntime: nodejs\n${await exampleOf("yaml")}`);
    await writeFile(join(directory, "index.ts"), await exampleOf("ts"));
    await project.mustRun("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"]);
  });

  after(async () => {
    await project?.remove();
    await database?.drop();
  });

  it("holds the compiled product, its schema and its text, and nothing else", () => {
    const others = files.filter((path) => !PACKED.some((pattern) => pattern.test(path)));
    assert.deepEqual(others, []);
    for (const needed of [
      "schema.json",
      "README.md",
      "LICENSE",
      "dist/cli/main.js",
      "dist/provider/main.js",
      "dist/components/index.d.ts",
      "dist/components/aws/index.d.ts",
    ]) {
      assert.ok(files.includes(needed), needed);
    }
  });

  for (const [resolution, options] of Object.entries(RESOLUTIONS)) {
    it(`has types that a strict program finds with moduleResolution ${resolution}`, async () => {
      const wrongs = [
        'import { PartitionedTable } from "pulumi-pgpartition";',
        'import { ArchiveBucket } from "pulumi-pgpartition/aws";',
        'new PartitionedTable("t", { partitionBy: { range: { every: true } } });',
        'new ArchiveBucket("b", { prefix: true });',
      ];
      await writeFile(join(project.directory, "wrong.ts"), wrongs.join("\n"));
      const compile = (file: string) =>
        project.run(join(project.directory, "node_modules", ".bin", "tsc"), [
          "--strict",
          "--noEmit",
          "--skipLibCheck",
          ...["--target", "es2022", "--types", "node"],
          ...options,
          file,
        ]);
      const right = await compile("index.ts");
      assert.equal(right.code, 0, right.output);
      const wrong = await compile("wrong.ts");
      const errors = wrong.output.split("\n").filter((line) => line.startsWith("wrong.ts"));
      assert.equal(errors.length, 2, wrong.output);
      assert.match(
        errors[0] ?? "",
        /\(3,\d+\): error TS2322: Type 'true' is not assignable to type 'string \| number \|/,
      );
      assert.match(errors[1] ?? "", /\(4,\d+\): error TS2322: Type 'boolean' is not assignable to type 'string'/);
    });
  }

  it("runs README's example with nothing but its lines in Pulumi.yaml: preview, up, and then no changes", async () => {
    const { host, port, user, password, database: name } = database.connection;
    const env = { PGHOST: host, PGPORT: String(port), PGUSER: user, PGPASSWORD: password, PGDATABASE: name };
    await project.mustRun("pulumi", ["stack", "init", "test"], env);
    const preview = await project.pulumi(["preview"], env);
    assert.equal(preview.code, 0, preview.output);
    assert.match(preview.output, /CREATE TABLE "public"\."events_\d{4}_\d{2}" PARTITION OF "public"\."events"/);
    const up = await project.pulumi(["up", "--yes", "--skip-preview"], env);
    assert.equal(up.code, 0, up.output);
    const client = await database.client();
    const { rows } = await client.query(
      "INSERT INTO events VALUES (1, now(), '{}') RETURNING tableoid::regclass::text AS partition",
    );
    assert.match(rows[0].partition, /^events_\d{4}_\d{2}$/);
    const second = await project.pulumi(["preview", "--expect-no-changes"], env);
    assert.equal(second.code, 0, second.output);
  });

  it("prints with its command a program for the table that is there, which another stack adopts without a statement", async () => {
    const { host, port, user, password, database: name } = database.connection;
    const env = { PGHOST: host, PGPORT: String(port), PGUSER: user, PGPASSWORD: password, PGDATABASE: name };
    const command = join(project.directory, "node_modules", ".bin", "pgpartition");
    const { stdout } = await project.mustRun(command, ["inspect", "events"], env);
    assert.match(stdout, /new PartitionedTable\("events", \{/);
    await writeFile(join(project.directory, "index.ts"), stdout);
    await project.mustRun("pulumi", ["stack", "init", "inspected"], env);
    const preview = await project.pulumi(["preview"], env);
    assert.equal(preview.code, 0, preview.output);
    assert.doesNotMatch(preview.output, /CREATE TABLE|ALTER TABLE|ATTACH|DETACH/);
    const up = await project.pulumi(["up", "--yes", "--skip-preview"], env);
    assert.equal(up.code, 0, up.output);
    const second = await project.pulumi(["preview", "--expect-no-changes"], env);
    assert.equal(second.code, 0, second.output);
  });
});
