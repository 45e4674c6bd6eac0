/** A DEFAULT partition that somebody has renamed gets its name back, and what comes after knows it by that. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { Sessions } from "../../../postgres/connection";
import { describeOnOldestAndNewest } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";
import { SetUnderTest } from "../tree/support";
import { leftovers } from "./support";

const LIST = (values: Record<string, string[]>) => ({
  table: "t",
  schema: "s",
  partitionBy: { list: { column: "k", type: "text", values } },
  defaultPartition: true,
});
const RANGE = (asOf: string) => ({
  table: "t",
  schema: "s",
  partitionBy: { range: { column: "k", type: "date", every: "month" } },
  window: { from: "2026-01-01", ahead: 1 },
  asOf,
  defaultPartition: true,
});

describeOnOldestAndNewest("beside a DEFAULT that was renamed by hand", (server) => {
  let client: Client;
  let sessions: Sessions;
  let set: SetUnderTest;

  openForEachTest(server, (opened) => {
    ({ client, sessions } = opened);
  });
  beforeEach(async () => {
    set = new SetUnderTest(sessions);
  });

  it("rows change partitions", async () => {
    await client.query("CREATE SCHEMA s; CREATE TABLE s.t (k text) PARTITION BY LIST (k)");
    await set.settle(LIST({ eu: ["de", "fr"], world: ["jp"] }));
    await client.query("INSERT INTO s.t VALUES ('de'), ('fr'), ('jp'), ('us')");
    await client.query(`ALTER TABLE s.t_default RENAME TO "by hand"`);
    await set.settle(LIST({ eu: ["fr"], world: ["de", "jp"] }));
    const { rows } = await client.query("SELECT tableoid::regclass::text || ' ' || k AS row FROM s.t ORDER BY 1");
    const places = rows.map(({ row }) => row);
    assert.deepEqual(places, ["s.t_default us", "s.t_eu fr", "s.t_world de", "s.t_world jp"]);
    assert.deepEqual(await leftovers(client), []);
  });

  it("a partition comes, guarded where DEFAULT is large", async () => {
    await client.query("CREATE SCHEMA s; CREATE TABLE s.t (k date, filler text) PARTITION BY RANGE (k)");
    await set.settle(RANGE("2026-02-01"));
    await client.query("ALTER TABLE s.t_default ALTER filler SET STORAGE PLAIN");
    await client.query("INSERT INTO s.t SELECT '2020-01-01', repeat('x', 2000) FROM generate_series(1, 6000)");
    await client.query(`ANALYZE s.t_default; ALTER TABLE s.t_default RENAME TO "by hand"`);
    const done = (await set.up(RANGE("2026-03-01"))).done;
    assert.deepEqual(done.slice(0, 2), ["rename:t_default", "guardDefault:t_default"]);
    assert.deepEqual((await set.preview(RANGE("2026-03-01"))).steps, []);
    assert.deepEqual(await leftovers(client), []);
  });
});
