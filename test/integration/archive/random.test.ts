/** Random rows of many types go the whole way, and come back as they were. */
import "../../support/seed";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describeOnOldestAndNewest } from "../../support/postgres";
import { ArchivedLife } from "./life";
import { COLUMN_LIST, insertLiterals, literalRow } from "./literals";
import { TYPES_SQL } from "./values";

/** Of one table. */
const ROWS = 200;

describeOnOldestAndNewest("the archive of random rows", (server) => {
  for (const format of ["text", "csv"] as const)
    it(`gives back all of them from ${format}`, async () => {
      const rows = fc.array(literalRow, { minLength: ROWS, maxLength: ROWS, size: "max" });
      await fc.assert(
        fc.asyncProperty(rows, async (all) => {
          const database = await server().createDatabase();
          const directory = await mkdtemp(join(tmpdir(), "archive-test-"));
          try {
            const client = await database.client();
            for (const sql of TYPES_SQL) await client.query(sql);
            await client.query(
              `CREATE TABLE events (id bigint, at timestamptz NOT NULL, ${COLUMN_LIST}) PARTITION BY RANGE (at)`,
            );
            const life = new ArchivedLife(database.connection, client, { store: `file://${directory}`, format });
            await life.begin();
            const [first = []] = all;
            const columns = first.map((_, at) => all.map((row) => row[at]));
            await client.query(insertLiterals("events"), columns);
            await life.roundTrip();
          } finally {
            await database.drop();
            await rm(directory, { recursive: true });
          }
        }),
        // A run has many rows, and those that differ are in its error.
        { numRuns: 1, endOnFailure: true },
      );
    });
});
