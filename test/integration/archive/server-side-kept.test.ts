/** What a server has written by itself (stand-in for aws_s3) is kept, read and compared as everything else in an archive. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { openStore } from "../../../archive/open";
import { ARCHIVE_DEFAULTS } from "../../../topology/archive";
import { AwsS3StandIn } from "../../support/aws-s3";
import { describeOnNewest, type TestDatabase } from "../../support/postgres";
import { describeOnS3 } from "../../support/s3";
import { archive } from "./commands";
import { ArchivedLife } from "./life";
import { type Vandal, vandalOfBucket } from "./support";

/** Each character that differs from UTF8, and what text escapes. */
const LATIN1 = `INSERT INTO events SELECT i, '2026-01-15', convert_from(set_byte('\\x00', 0, i), 'LATIN1') || '|'
  FROM generate_series(1, 255) AS i`;

describeOnNewest("what the server has exported (stand-in for aws_s3)", (server) => {
  describeOnS3("in a bucket without versions", (s3) => {
    let database: TestDatabase;
    let client: Client;
    let url: string;
    let vandal: Vandal;

    beforeEach(async () => {
      const bucket = await s3().createBucket();
      url = `s3://${bucket}/kept?endpoint=${s3().endpoint}&region=${s3().region}`;
      const { read, put, remove } = vandalOfBucket(s3(), bucket);
      const at = (key: string) => `kept/${key}`;
      vandal = {
        read: (key) => read(at(key)),
        put: (key, content) => put(at(key), content),
        remove: (key) => remove(at(key)),
      };
    });
    afterEach(() => database.drop());

    async function filled(more: object = {}, encoding = "UTF8"): Promise<ArchivedLife> {
      database = await server().createDatabase(undefined, encoding);
      client = await database.client();
      await AwsS3StandIn.install(client, s3(), "no-other-bucket");
      await client.query(
        "CREATE TABLE events (id bigint, at timestamptz NOT NULL, value text) PARTITION BY RANGE (at)",
      );
      const life = new ArchivedLife(database.connection, client, { store: url, serverSideExport: "aws_s3", ...more });
      await life.begin();
      await client.query(LATIN1);
      return life;
    }

    const keys = async (pattern: RegExp) => {
      const store = openStore({ store: url, ...ARCHIVE_DEFAULTS }, new Date());
      const found: string[] = [];
      for await (const { key } of store.list("")) if (pattern.test(key)) found.push(key);
      store.close();
      return found;
    };
    const rowsKey = async () => {
      const [key, ...others] = await keys(/\.copy$/);
      assert.deepEqual(others, []);
      return key as string;
    };

    for (const encoding of ["UTF8", "LATIN1"])
      it(`comes back byte by byte in a database in ${encoding}`, async () => {
        const life = await filled({}, encoding);
        await life.roundTrip();
        const written = await vandal.read(await rowsKey());
        const bytes = Buffer.from("\u00e9|\n", encoding === "LATIN1" ? "latin1" : "utf8");
        assert.ok(written.includes(bytes), "the object has the database's encoding");
      });

    it("is graded by the command, and one flipped bit or a row that was cut off is found", async () => {
      const life = await filled();
      await life.archived();
      const verify = () => archive(["verify", "--all", "--store", url]);
      const whole = await verify();
      assert.equal(whole.status, 0, whole.out);
      const key = await rowsKey();
      const content = await vandal.read(key);
      const flipped = Buffer.from(content);
      flipped[20] = (flipped[20] ?? 0) ^ 1;
      const last = content.lastIndexOf("\n", content.length - 2) + 1;
      for (const damaged of [flipped, content.subarray(0, last)]) {
        await vandal.put(key, damaged);
        const ran = await verify();
        assert.equal(ran.status, 6, ran.out);
        assert.match(ran.out, /CORRUPT/);
        await assert.rejects(life.restored());
        assert.deepEqual((await client.query("SELECT count(*)::int AS n FROM events")).rows, [{ n: 0 }]);
      }
      await vandal.put(key, content);
      await life.restored();
      assert.deepEqual((await client.query("SELECT count(*)::int AS n FROM events")).rows, [{ n: 255 }]);
    });

    it("has a Parquet copy with the same rows", async () => {
      const life = await filled({ parquet: {} });
      await life.archived();
      assert.equal((await keys(/^parquet\/.*\.parquet$/)).length, 1);
      const [manifest] = await keys(/manifest\.json$/);
      const { parquet } = JSON.parse(String(await vandal.read(manifest as string)));
      assert.deepEqual(
        parquet.files.map(({ rows }: { rows: number }) => rows),
        [255],
      );
    });
  });
});
