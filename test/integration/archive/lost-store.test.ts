/** A store that is suddenly another one: an empty mount point, a directory that was moved. No table is dropped because of it. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import type { Properties } from "../../../provider/values";
import { type Content, contentOf, Months } from "../../support/months";
import { describeOnNewest, type TestDatabase } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";
import { OneResource } from "./one-resource";
import { changeRows } from "./support";

const ROWS =
  "INSERT INTO events SELECT i, '2026-01-01'::date + i % 110, 'row ' || i FROM generate_series(1, 1000) AS i";

describeOnNewest("an archive that is suddenly empty", (server) => {
  let database: TestDatabase;
  let client: Client;
  let directory: string;
  let set: OneResource;
  let whole: Content;

  openForEachTest(server, (opened) => {
    ({ database, client } = opened);
  });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    set = new OneResource(database.connection);
    await client.query("CREATE TABLE events (id bigint, at date NOT NULL, payload text) PARTITION BY RANGE (at)");
    await set.up(program());
    await changeRows(database, ROWS);
    whole = await contentOf(client);
  });
  afterEach(() => rm(directory, { recursive: true }));

  const program = (more: Properties = {}): Properties =>
    new Months(database.connection, `file://${directory}/mounted`, { asOf: "2026-04" }).program(more).set;
  const AGED = {
    lifecycle: [
      { after: "1 month", tier: "exported" },
      { after: "2 months", tier: "archived" },
    ],
  };
  /** A month later February would be archived. */
  const LATER = { ...AGED, asOf: "2026-05" };
  const exists = async (table: string) =>
    (await client.query("SELECT to_regclass($1) IS NOT NULL AS there", [table])).rows[0].there as boolean;

  /** The mount point instead of what was mounted there. */
  async function unmount(): Promise<void> {
    await rename(join(directory, "mounted"), join(directory, "away"));
    await mkdir(join(directory, "mounted"));
  }
  async function mount(): Promise<void> {
    assert.deepEqual(await readdir(join(directory, "mounted")), [], "nothing was written below the mount point");
    await rm(join(directory, "mounted"), { recursive: true });
    await rename(join(directory, "away"), join(directory, "mounted"));
  }

  it("gets no export, and no table is dropped, before it is what it was", async () => {
    await set.up(program(AGED));
    assert.deepEqual(set.tiers.events_2026_01, "archived");
    const left = await contentOf(client);
    await unmount();
    await set.preview(program(LATER));
    assert.match(
      set.text,
      /warning: archive\.store: .*has none of the 2 copies that the state knows to be there. Is it mounted/,
    );
    assert.doesNotMatch(set.text, /to export|to archive|DETACH|DROP/);
    await assert.rejects(set.up(program(LATER)), /has none of the 2 copies/);
    await set.refresh();
    await assert.rejects(set.up(program(LATER)), /has none of the 2 copies/);
    assert.equal(await exists("events_2026_01"), false);
    assert.deepEqual(await contentOf(client), left);
    await mount();
    await set.up(program(LATER));
    assert.equal(set.tiers.events_2026_02, "archived");
    await set.up(program());
    assert.deepEqual(await contentOf(client), whole);
  });

  it("is known to be so where partitions were only exported, too", async () => {
    const exported = { lifecycle: [{ after: "1 month", tier: "exported" }] };
    const archived = { lifecycle: [{ after: "1 month", tier: "archived" }] };
    await set.up(program(exported));
    await unmount();
    await assert.rejects(set.up(program(archived)), /has none of the 2 copies/);
    await set.refresh();
    await assert.rejects(set.up(program(archived)), /has none of the 2 copies/);
    assert.deepEqual(await contentOf(client), whole);
    await mount();
    await set.up(program(archived));
    assert.equal(await exists("events_2026_01"), false);
  });

  it("is nothing unusual where another one is declared", async () => {
    await set.up(program(AGED));
    const elsewhere = { archive: { store: `file://${directory}/elsewhere` } };
    await assert.rejects(
      set.up(program({ ...AGED, ...elsewhere, pins: [{ from: "2026-01", to: "2026-02" }] })),
      /not made empty/,
    );
    await set.up(program({ ...LATER, ...elsewhere }));
    assert.equal(set.tiers.events_2026_02, "archived");
    assert.equal(await exists("events_2026_02"), false);
  });
});
