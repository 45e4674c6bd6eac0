/** Declarations and tables that have changed since partitions were archived: their rows are found, or it is said where they are. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import type { Sessions } from "../../../postgres/connection";
import { describeOnOldestAndNewest, type TestDatabase } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";
import { SetUnderTest } from "../tree/support";
import { changeRows, keysIn } from "./support";

type Raw = Record<string, unknown>;

const EVENTS = "CREATE TABLE events (id int NOT NULL, at date NOT NULL, payload varchar(20)) PARTITION BY RANGE (at)";
const ROWS = "INSERT INTO events SELECT i, '2026-01-01'::date + i % 90, 'row ' || i FROM generate_series(1, 900) AS i";

describeOnOldestAndNewest("partitions that were archived before something changed", (server) => {
  let database: TestDatabase;
  let client: Client;
  let sessions: Sessions;
  let stack: SetUnderTest;
  let directory: string;

  openForEachTest(server, (opened) => {
    ({ database, client, sessions } = opened);
    stack = new SetUnderTest(sessions);
  });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const months = (more: Raw = {}): Raw => ({
    table: "events",
    partitionBy: { range: { column: "at", type: "date", every: "month" } },
    window: { from: "2026-01", ahead: 0 },
    asOf: "2026-03",
    archive: { store: `file://${directory}` },
    ...more,
  });
  const AGED = { lifecycle: [{ after: "0 months", tier: "archived" }] };
  const JANUARY = [{ from: "2026-01", to: "2026-02" }];
  const ALL = [{ from: "2026-01", to: "2026-03" }];

  const content = async (table = "events") =>
    (
      await client.query(
        `SELECT count(*)::int AS n, md5(string_agg(e::text, ',' ORDER BY e::text)) AS hash FROM ${table} AS e`,
      )
    ).rows[0] as { n: number; hash: string };
  const exists = async (table: string) =>
    (await client.query("SELECT to_regclass($1) IS NOT NULL AS there", [table])).rows[0].there as boolean;
  const objects = async () => (await keysIn(directory)).filter((key) => key.endsWith(".zst"));

  /** January and February are in the archive only; gives what the table held. */
  async function archived(sql = EVENTS, more: Raw = {}): Promise<{ n: number; hash: string }> {
    await client.query(sql);
    await stack.settle(months(more));
    await changeRows(database, ROWS);
    const before = await content();
    await stack.settle(months({ ...AGED, ...more }));
    assert.equal((await content()).n, 310);
    return before;
  }

  /** Nothing of a refused partition is done; gives the reasons. */
  async function refused(raw: Raw): Promise<string> {
    const written = await keysIn(directory);
    const { findings, failed, done } = await stack.up(raw);
    assert.deepEqual([failed, done.filter((id) => /restore|export|drop|detach/.test(id))], [[], []]);
    assert.deepEqual(await keysIn(directory), written);
    return findings.join("\n");
  }

  it("come back under another name when the naming has changed, then or together with the pin", async () => {
    const before = await archived();
    const naming = "e_{yyyy}{mm}";
    await stack.settle(months({ ...AGED, naming }));
    await stack.settle(months({ ...AGED, naming, pins: JANUARY }));
    assert.equal((await content("e_202601")).n, 310);
    await stack.settle(months({ ...AGED, pins: ALL }));
    assert.deepEqual(await content(), before);
    await changeRows(database, "UPDATE events SET payload = 'changed' WHERE id = 1");
    const changed = await content();
    await stack.settle(months({ ...AGED, naming }));
    await stack.settle(months({ ...AGED, pins: ALL }));
    assert.deepEqual(await content(), changed);
  });

  it("come back when the parent was renamed meanwhile", async () => {
    const before = await archived();
    await client.query("ALTER TABLE events RENAME TO happenings; CREATE TABLE events (id int)");
    const table = "happenings";
    const naming = "events_{yyyy}_{mm}";
    await stack.settle(months({ ...AGED, table, naming }));
    await stack.settle(months({ ...AGED, table, naming, pins: JANUARY }));
    await stack.settle(months({ ...AGED, table, naming }));
    await stack.settle(months({ table, naming }));
    const { hash } = await content(table);
    assert.equal(hash, before.hash);
  });

  it("are found by their last export when the table was renamed between two", async () => {
    await client.query(EVENTS);
    await stack.settle(months());
    const exported = { lifecycle: [{ after: "0 months", tier: "exported" }] };
    for (const payload of ["a", "b", "c"]) {
      await changeRows(database, `INSERT INTO events VALUES (1, '2026-01-10', '${payload}')`);
      await stack.settle(months(exported));
    }
    const naming = "e_{yyyy}{mm}";
    const written = await keysIn(directory);
    await stack.settle(months({ ...exported, naming }));
    assert.deepEqual(await keysIn(directory), written, "another name is no reason to export it again");
    await changeRows(database, "INSERT INTO events VALUES (1, '2026-01-10', 'd')");
    await stack.settle(months({ ...exported, naming }));
    const before = await content();
    await stack.settle(months({ ...AGED, naming }));
    await stack.settle(months({ naming }));
    assert.deepEqual(await content(), before);
  });

  it("are not hidden by empty partitions of another interval, and come back when they are declared as they were", async () => {
    const before = await archived();
    const quarters = months({ partitionBy: { range: { column: "at", type: "date", every: "quarter" } } });
    for (const more of [{}, { reorganize: "refuse" }, AGED, {}]) {
      const reason = await refused({ ...quarters, ...more });
      assert.match(reason, /archive has rows of that range.*events_2026_01 \(.* 310 rows\), events_2026_02 \(/);
      assert.equal((await content("events_2026_03")).n, 310);
    }
    await stack.settle(months());
    assert.deepEqual(await content(), before);
    await stack.settle(quarters);
    assert.deepEqual(await content(), before);
  });

  it("come back one by one for a pin over several of them, and whole for a pin over part of one", async () => {
    const before = await archived();
    await stack.settle(months({ ...AGED, pins: [{ from: "2026-01-20", to: "2026-01-21" }] }));
    assert.equal((await content()).n, 620);
    await stack.settle(months({ ...AGED, pins: [{ from: "2026-01-20", to: "2026-02-02" }] }));
    assert.deepEqual(await content(), before);
  });

  it("go again when a pin ends, without being written again unless rows have changed", async () => {
    await archived();
    const written = await objects();
    const pins = [{ from: "2026-01", to: "2026-03", until: "2026-04" }];
    await stack.settle(months({ ...AGED, pins }));
    await changeRows(database, "UPDATE events SET payload = 'changed' WHERE at = '2026-01-05'");
    const changed = await content();
    await stack.settle(months({ ...AGED, pins, asOf: "2026-04" }));
    assert.equal(await exists("events_2026_02"), false);
    const now = await objects();
    assert.equal(now.filter((key) => key.includes("events_2026_02")).length, 1);
    assert.equal(now.filter((key) => key.includes("events_2026_01")).length, 2);
    assert.ok(written.every((key) => now.includes(key)));
    await stack.settle(months({ asOf: "2026-04" }));
    assert.deepEqual(await content(), changed);
  });

  it("are refused to another group of a list that takes one of their values", async () => {
    const list = (values: Record<string, string[]>, tier = "live") => ({
      table: "events",
      partitionBy: { list: { column: "region", type: "text" } },
      partitions: Object.fromEntries(
        Object.entries(values).map(([name, own]) => [name, { values: own, ...(name === "eu" && { tier }) }]),
      ),
      archive: { store: `file://${directory}` },
    });
    await client.query("CREATE TABLE events (id int, region text) PARTITION BY LIST (region)");
    await stack.settle(list({ eu: ["de", "fr"], us: ["us"] }));
    await changeRows(
      database,
      "INSERT INTO events SELECT i, (ARRAY['de', 'fr', 'us'])[1 + i % 3] FROM generate_series(1, 30) i",
    );
    const before = await content();
    await stack.settle(list({ eu: ["de", "fr"], us: ["us"] }, "archived"));
    assert.match(await refused(list({ eu: ["de"], fr: ["fr"], us: ["us"] })), /archive has rows/);
    assert.equal(await exists("fr"), false);
    await stack.settle(list({ eu: ["de", "fr"], us: ["us"] }));
    assert.deepEqual(await content(), before);
  });

  describe("of a table whose columns have changed", () => {
    const FITTING: Record<string, { sql: string; content?: string }> = {
      "a column more": { sql: "ALTER TABLE events ADD COLUMN more int DEFAULT 7 NOT NULL", content: "more = 7" },
      "a wider type": { sql: "ALTER TABLE events ALTER payload TYPE text" },
      "a default and a check that they meet": {
        sql: "ALTER TABLE events ALTER payload SET DEFAULT 'x', ADD CONSTRAINT late CHECK (id > 0), ALTER payload SET NOT NULL",
      },
      "a primary key": { sql: "ALTER TABLE events ADD PRIMARY KEY (id, at)" },
    };
    for (const [title, { sql, content: condition = "true" }] of Object.entries(FITTING))
      it(`come back to ${title}`, async () => {
        await archived();
        await client.query(sql);
        await stack.settle(months());
        const { rows } = await client.query(
          `SELECT count(*)::int AS n, min(payload) AS least FROM events WHERE ${condition}`,
        );
        assert.deepEqual(rows, [{ n: 900, least: "row 1" }]);
      });

    const MISFITS: Record<string, { sql: string; reason: RegExp; back: string }> = {
      "a column less": {
        sql: "ALTER TABLE events DROP COLUMN payload",
        reason: /columns that "public"\."events" has not any more: payload character varying\(20\)\. Restore it beside/,
        back: "ALTER TABLE events ADD COLUMN payload varchar(20)",
      },
      "another type": {
        sql: "ALTER TABLE events ALTER payload TYPE char(30)",
        reason: /do not fit the table as it is now: .*payload was character varying\(20\) and is character\(30\)/,
        back: "ALTER TABLE events ALTER payload TYPE varchar(20)",
      },
      "a type that takes no such value": {
        sql: "UPDATE events SET payload = '1'; ALTER TABLE events ALTER payload TYPE int USING payload::int",
        reason: /do not fit the table as it is now: .*\(22P02\).* payload was character varying\(20\) and is integer/,
        back: "ALTER TABLE events ALTER payload TYPE varchar(20)",
      },
      "a column that must not be null": {
        sql: "DELETE FROM events; ALTER TABLE events ADD COLUMN more int NOT NULL",
        reason: /do not fit the table as it is now: .*"more".*\(23502\)\. Take back what has changed/,
        back: "ALTER TABLE events ALTER more DROP NOT NULL",
      },
      "a check that they do not meet": {
        sql: "DELETE FROM events; ALTER TABLE events ADD CONSTRAINT late CHECK (id > 800)",
        reason: /do not fit the table as it is now: .*"late".*\(23514\)/,
        back: "ALTER TABLE events DROP CONSTRAINT late",
      },
    };
    for (const [title, { sql, reason, back }] of Object.entries(MISFITS))
      it(`stay in the archive for ${title}, with the reason, until that is taken back`, async () => {
        await archived();
        await client.query(sql);
        const { failed } = await stack.up(months());
        assert.match(failed.join("\n"), reason);
        assert.equal(await exists("events_2026_01"), false, "nothing is left of it");
        await client.query(back);
        await stack.settle(months());
        assert.equal((await content("events_2026_01")).n, 310);
      });
  });

  it("are restored without the loss of a row that somebody writes beside them", async () => {
    const before = await archived();
    await client.query(`CREATE FUNCTION stranger() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO public.events_2026_01 SELECT 0, '2026-01-03', 'theirs'
          WHERE NOT EXISTS (SELECT FROM public.events_2026_01 WHERE id = 0);
      END $$;
      CREATE EVENT TRIGGER stranger ON ddl_command_end WHEN TAG IN ('COMMENT') EXECUTE FUNCTION stranger()`);
    for (const _ of ["made", "found again"]) {
      const { failed } = await stack.up(months({ ...AGED, pins: JANUARY }));
      assert.match(
        failed.join(),
        /they are not those that were archived.*The table stays: it holds 311 rows, of which 310/,
      );
      assert.deepEqual((await client.query("SELECT payload FROM events_2026_01 WHERE id = 0")).rows, [
        { payload: "theirs" },
      ]);
    }
    await client.query("DROP EVENT TRIGGER stranger; DROP TABLE events_2026_01");
    await stack.settle(months());
    assert.deepEqual(await content(), before);
  });

  it("are not hidden by a table that somebody has made in their place", async () => {
    const before = await archived();
    await client.query(
      `CREATE TABLE events_2026_01 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
       INSERT INTO events VALUES (0, '2026-01-03', 'late')`,
    );
    const written = await keysIn(directory);
    for (const refresh of [false, true]) {
      if (refresh) await stack.refresh(months(AGED));
      const { findings, done } = await stack.up(months(AGED));
      assert.deepEqual(done, []);
      assert.match(findings.join(), /was not made by this program, and the archive has 310 rows/);
      assert.deepEqual(await keysIn(directory), written);
    }
    const { findings } = await stack.preview(months({ ...AGED, pins: JANUARY }));
    assert.match(
      findings.map(({ reason }) => reason).join(),
      /the archive has 310 rows.*detach it and give it another name/,
    );
    await client.query("ALTER TABLE events DETACH PARTITION events_2026_01; ALTER TABLE events_2026_01 RENAME TO late");
    await stack.settle(months());
    assert.deepEqual(await content(), before);
    assert.equal((await content("late")).n, 1);
  });

  it("wait for rows of their range to leave DEFAULT, and nothing is fetched before", async () => {
    const before = await archived(EVENTS, { defaultPartition: true });
    await client.query("INSERT INTO events VALUES (0, '2026-01-03', 'late')");
    const pinned = months({ ...AGED, defaultPartition: true, pins: ALL });
    const { findings } = await stack.up(pinned);
    assert.match(
      findings.join(),
      /DEFAULT partition public.events_default holds rows that belong to events_2026_01.*in the archive/,
    );
    assert.equal(await exists("events_2026_01"), false);
    await client.query("DELETE FROM events WHERE id = 0");
    await stack.settle(pinned);
    assert.deepEqual(await content(), before);
  });

  it("stay where they are when a table of that name is made anew, and are found without a state", async () => {
    const before = await archived();
    await client.query("DROP TABLE events");
    await client.query(EVENTS);
    stack = new SetUnderTest(sessions);
    await stack.settle(months());
    assert.equal((await content()).n, 0);
    await client.query("DROP TABLE events");
    await rm(directory, { recursive: true });
    stack = new SetUnderTest(sessions);
    assert.deepEqual(await archived(), before);
    stack = new SetUnderTest(sessions);
    await stack.settle(
      months({
        ...AGED,
        naming: "e_{yyyy}{mm}",
        partitions: { events_2026_03: { from: "2026-03-01", to: "2026-04-01" } },
      }),
    );
    await stack.settle(
      months({ naming: "e_{yyyy}{mm}", partitions: { events_2026_03: { from: "2026-03-01", to: "2026-04-01" } } }),
    );
    assert.deepEqual(await content(), before);
  });

  it("come back below a partition that was archived after them, and so does what was detached from it", async () => {
    const tenants = (tier: string, lifecycle: unknown[] = []) => ({
      table: "events",
      partitionBy: { list: { column: "tenant", type: "text" } },
      partitions: { a: { values: ["a"], tier }, b: { values: ["b"] } },
      subPartitionBy: {
        partitionBy: { range: { column: "at", type: "date", every: "month" } },
        window: { from: "2026-01", ahead: 0 },
        lifecycle,
      },
      asOf: "2026-03",
      archive: { store: `file://${directory}` },
    });
    const OLD = [
      { after: "0 months", tier: "detached" },
      { after: "1 month", tier: "archived" },
    ];
    await client.query("CREATE TABLE events (id int, at date NOT NULL, tenant text) PARTITION BY LIST (tenant)");
    await stack.settle(tenants("live"));
    await changeRows(
      database,
      "INSERT INTO events SELECT i, '2026-01-01'::date + i % 90, chr(97 + i % 2) FROM generate_series(1, 900) AS i",
    );
    const before = await content();
    await stack.settle(tenants("live", OLD));
    await stack.settle(tenants("archived", OLD));
    for (const gone of ["a", "a_2026_01", "a_2026_02", "a_2026_03"]) assert.equal(await exists(gone), false, gone);
    await stack.settle(tenants("live"));
    assert.deepEqual(await content(), before);
  });

  it("stay in their place, exported, while rows refer to them, and go when none does", async () => {
    await client.query(`${EVENTS}; ALTER TABLE events ADD PRIMARY KEY (id, at)`);
    await stack.settle(months());
    await changeRows(database, ROWS);
    await client.query(`CREATE TABLE notes (id int, at date, FOREIGN KEY (id, at) REFERENCES events);
      INSERT INTO notes SELECT id, at FROM events WHERE at = '2026-01-15' LIMIT 1`);
    const { plan, failed } = await stack.up(months(AGED));
    const told = plan.findings.map(({ reason }) => reason).join("\n");
    assert.match(told, /Foreign keys of public\.notes lead here\. While rows refer to public\.events_2026_01/);
    assert.equal(failed.length, 1);
    assert.match(failed[0] ?? "", /^detach:events_2026_01: .*23503/);
    assert.equal((await content()).n, 900 - 280);
    assert.ok((await objects()).some((key) => key.includes("/events_2026_01/")));
    await client.query("DELETE FROM notes");
    await stack.settle(months(AGED));
    assert.equal((await content()).n, 310);
  });
});
