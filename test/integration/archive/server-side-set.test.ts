/** A set whose rows the server itself writes into a bucket: previews, refusals, a whole life, and kills. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { openStore } from "../../../archive/open";
import type { Properties } from "../../../provider/values";
import { ARCHIVE_DEFAULTS } from "../../../topology/archive";
import { AwsS3StandIn } from "../../support/aws-s3";
import { runWithFault, sessionsEnd, UP_WITHOUT_ENGINE } from "../../support/kills";
import { describeOnNewest, type TestDatabase } from "../../support/postgres";
import { describeOnS3 } from "../../support/s3";
import type { Program, State, UpWithoutEngine } from "../../support/without-engine";
import { openForEachTest } from "../postgres/opened";
import { OneResource } from "./one-resource";
import { changeRows, newBucket } from "./support";

const { upWithoutEngine } = require("../../support/without-engine") as { upWithoutEngine: UpWithoutEngine };

const SERVER_SIDE = "aws_s3" as const;

const MONTHLY = { range: { column: "at", type: "timestamptz", every: "month" } };
const AGED = { lifecycle: [{ after: "2 months", tier: "archived" }] };
const PINNED = { ...AGED, pins: [{ from: "2026-01", to: "2026-02" }] };
const ROWS = `INSERT INTO events SELECT i, '2026-01-01'::timestamptz + i * interval '1 hour', repeat('x', 100) || i
  FROM generate_series(0, 2500) AS i`;
const CONTENT = "SELECT md5(string_agg(e::text, ',' ORDER BY id)) AS hash FROM events AS e";

const setOf = (archive: Properties, more: Properties = {}): Properties => ({
  table: "events",
  partitionBy: MONTHLY,
  window: { from: "2026-01", ahead: 0 },
  asOf: "2026-04",
  archive,
  ...more,
});

describeOnNewest("a set whose rows the server exports (stand-in for aws_s3)", (server) => {
  describeOnS3("into a bucket", (s3) => {
    let database: TestDatabase;
    let client: Client;
    let set: OneResource;
    let url: string;
    let bucket: string;

    openForEachTest(server, (opened) => {
      ({ database, client } = opened);
    });
    beforeEach(async () => {
      ({ url, bucket } = await newBucket(s3()));
      set = new OneResource(database.connection);
    });

    const install = async () => AwsS3StandIn.install(client, s3(), (await newBucket(s3())).bucket);
    const createTable = () =>
      client.query("CREATE TABLE events (id bigint, at timestamptz NOT NULL, payload text) PARTITION BY RANGE (at)");
    const program = (more: Properties = {}) => setOf({ store: url, serverSideExport: SERVER_SIDE }, more);
    const content = async () => (await client.query(CONTENT)).rows[0].hash;

    it("previews the statement, archives, restores by a pin, and archives again without writing", async () => {
      await createTable();
      await install();
      await set.up(program());
      await changeRows(database, ROWS);
      const before = await content();
      await set.preview(program(AGED));
      const query = `query => 'SELECT "id", "at", "payload" FROM ONLY "public"."events_2026_01"'`;
      const where = `bucket => '${bucket}', file_path => 'archives/of tests/…', region => 'eu-central-1'`;
      const call = `aws_s3.query_export_to_s3(${query}, ${where}, options => 'format text, encoding ''UTF8''')`;
      assert.ok(set.text.includes(call), set.text);
      assert.match(set.text, /ACCESS SHARE on "public"\."events_2026_01", for a scan/);
      await database.logStatements();
      await set.up(program(AGED));
      const sent = (await database.statements()).filter((sql) => sql.includes("query_export_to_s3(query"));
      assert.equal(sent.length, 1);
      const shown = (sql: string) => sql.replace(/^.* FROM aws_s3/, "aws_s3").replace(/(of tests\/)[^']*/, "$1…");
      assert.deepEqual(sent.map(shown), [call]);
      assert.equal(set.tiers.events_2026_01, "archived");
      await set.up(program(PINNED));
      assert.equal(await content(), before);
      await set.up(program(AGED));
      assert.equal(set.tiers.events_2026_01, "archived");
      const again = (await database.statements()).filter((sql) => sql.includes("query_export_to_s3(query"));
      assert.equal(again.length, 1, "nothing is written again");
    });

    it("is refused in the preview without the extension, without a right, or without a way to name the key", async () => {
      await createTable();
      await set.up(program());
      await client.query(ROWS);
      const refusedWith = async (reason: RegExp, more: Properties = AGED) => {
        await set.preview(program(more));
        assert.match(set.text, reason);
        assert.doesNotMatch(set.text, /1 to export/);
      };
      await refusedWith(
        /archive\.serverSideExport.*has no function aws_s3\.query_export_to_s3.*CREATE EXTENSION aws_s3/s,
      );
      await client.query("CREATE ROLE owner_without_extension LOGIN PASSWORD 'x'");
      try {
        await install();
        await client.query(`GRANT CREATE, USAGE ON SCHEMA public TO owner_without_extension;
          ALTER TABLE events OWNER TO owner_without_extension`);
        const tables = ["events_2026_01", "events_2026_02", "events_2026_03", "events_2026_04"];
        for (const table of tables) await client.query(`ALTER TABLE ${table} OWNER TO owner_without_extension`);
        set.connection = { ...database.connection, user: "owner_without_extension", password: "x" };
        await refusedWith(/may not call aws_s3\.query_export_to_s3 \(42501\).*GRANT USAGE ON SCHEMA aws_s3/s);
        set.connection = database.connection;
        await client.query(`DROP FUNCTION aws_s3.query_export_to_s3;
          CREATE FUNCTION aws_s3.query_export_to_s3(query text, bucket text, file_path text, region text, options text,
            OUT rows_uploaded bigint, OUT files_uploaded bigint, OUT bytes_uploaded bigint) LANGUAGE sql AS 'SELECT 0, 0, 0'`);
        const kmsKeyId = "arn:aws:kms:eu-central-1:123456789012:key/one";
        const archive = { store: url, serverSideExport: SERVER_SIDE, kmsKeyId };
        await refusedWith(/takes no KMS key.*ALTER EXTENSION aws_s3 UPDATE/s, { ...AGED, archive });
      } finally {
        await client.query("DROP SCHEMA IF EXISTS aws_s3 CASCADE");
        await client.query(
          "REASSIGN OWNED BY owner_without_extension TO CURRENT_USER; DROP OWNED BY owner_without_extension; DROP ROLE owner_without_extension",
        );
      }
    });

    it("loses no row when it is killed, wherever that is before the manifest is there", async function () {
      this.timeout(0);
      const upProgram = (more: Properties): Program => ({
        table: {
          name: "events",
          partitionBy: MONTHLY,
          columns: [
            { name: "id", type: "bigint" },
            { name: "at", type: "timestamptz", nullable: false },
            { name: "payload", type: "text" },
          ],
        },
        set: program(more),
      });
      const up = (more: Properties, state: State) => upWithoutEngine(database.connection, upProgram(more), state);
      const killedAt = async (state: State, fault: string) => {
        const signal = await runWithFault(UP_WITHOUT_ENGINE, [database.connection, upProgram(AGED), state], fault);
        await sessionsEnd(client);
        return signal === "SIGKILL";
      };
      await install();
      const hasManifest = async () => {
        const store = openStore({ store: url, ...ARCHIVE_DEFAULTS }, new Date());
        const keys: string[] = [];
        for await (const { key } of store.list("")) keys.push(key);
        store.close();
        return keys.some((key) => key.endsWith("/manifest.json"));
      };
      // What is killed after that has its test in crash.test.ts.
      let finished = false;
      for (let hit = 1; !finished; hit++) {
        await client.query(
          "DROP TABLE IF EXISTS events, events_2026_01, events_2026_02, events_2026_03, events_2026_04",
        );
        ({ url } = await newBucket(s3()));
        let state = await up({}, {});
        await client.query(ROWS);
        const whole = await content();
        assert.ok(await killedAt(state, `archive:${hit}`), "the point was never reached");
        finished = await hasManifest();
        state = await up(AGED, state);
        state = await up({ ...AGED, pins: [{ from: "2026-01", to: "2026-04" }] }, state);
        assert.equal(await content(), whole, `archive:${hit}`);
      }
    });
  });
});
