/**
 * The capture: triggers on each source that write every change to the copy as well, in the transaction of the
 * application. A row and its copy therefore become visible in the same moment to everybody.
 */
import type { SourceTable } from "../../topology/model";
import { qualified, quoteIdent, quoteLiteral } from "../identifiers";
import type { Statement } from "../statement";
import { keyList, lock, part, type ReorganizationRendering, sameKey, statement, storedColumns } from "./rendering";

/** Installed when the copy is prepared: nothing fires it yet. Only its owner may use it in a trigger. */
export function captureFunction(rendering: ReorganizationRendering): Statement[] {
  const name = `${qualified(rendering.layout.capture)}()`;
  const create =
    `CREATE FUNCTION ${name} RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = ''` +
    ` AS ${quoteLiteral(captureBody(rendering))}`;
  return [statement(create, []), statement(`REVOKE ALL ON FUNCTION ${name} FROM PUBLIC`, [])];
}

/**
 * By the key that the row had: by the new one, the old copy would stay behind (measured: 5 of 18 interleavings wrong).
 *
 * A transaction with one snapshot (REPEATABLE READ, SERIALIZABLE) may not see a copy made since it began. It can neither
 * remove nor replace it, and an attempt would fail the application's own statement: it only notes the key, and the row is
 * copied once more after it. The same after a TRUNCATE, for all rows: a note without a key.
 */
function captureBody(rendering: ReorganizationRendering): string {
  const { layout } = rendering;
  const staging = qualified(layout.staging);
  const missed = `INSERT INTO ${qualified(layout.missed)} (${keyList(rendering)}) VALUES`;
  const columns = storedColumns(rendering);
  const values = columns.map((column) => `NEW.${column}`).join(", ");
  const insert = `INSERT INTO ${staging} (${columns.join(", ")}) VALUES (${values})`;
  const replaced = columns.map((column) => `${column} = EXCLUDED.${column}`).join(", ");
  const remove = `DELETE FROM ${staging} AS copy WHERE ${sameKey(rendering, "copy", "OLD")}`;
  return `
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO ${qualified(layout.missed)} DEFAULT VALUES;
  ELSIF pg_catalog.current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
    BEGIN
      IF TG_OP <> 'INSERT' THEN
        ${remove};
        IF NOT FOUND THEN
          ${missed} (${keyList(rendering, "OLD.")});
          IF TG_OP = 'UPDATE' THEN
            ${missed} (${keyList(rendering, "NEW.")});
          END IF;
          RETURN NULL;
        END IF;
      END IF;
      IF TG_OP <> 'DELETE' THEN
        ${insert};
      END IF;
    EXCEPTION WHEN unique_violation OR serialization_failure THEN
      IF TG_OP <> 'INSERT' THEN
        ${missed} (${keyList(rendering, "OLD.")});
      END IF;
      IF TG_OP <> 'DELETE' THEN
        ${missed} (${keyList(rendering, "NEW.")});
      END IF;
    END;
  ELSE
    IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND NOT (${sameKey(rendering, "OLD", "NEW")}) THEN
      ${remove};
    END IF;
    IF TG_OP <> 'DELETE' THEN
      ${insert} ON CONFLICT (${keyList(rendering)}) DO UPDATE SET ${replaced};
    END IF;
  END IF;
  RETURN NULL;
END`;
}

/**
 * One transaction for each leaf of the sources. The lock waits for those who are writing, so that whoever writes from now on is
 * captured; what the table holds up to its present size is copied. ALWAYS: also under `session_replication_role`.
 */
export function captureStatements(rendering: ReorganizationRendering, source: SourceTable): Statement[] {
  const { layout } = rendering;
  const name = qualified(source);
  const locks = [lock(source, "SHARE ROW EXCLUSIVE")];
  const call = `EXECUTE FUNCTION ${qualified(layout.capture)}()`;
  const { rows, truncate } = layout.triggers;
  const always = [rows, truncate].map((trigger) => `ENABLE ALWAYS TRIGGER ${quoteIdent(trigger)}`).join(", ");
  return part(`capture changes of ${source.name}`, [
    statement(
      `CREATE TRIGGER ${quoteIdent(rows)} AFTER INSERT OR UPDATE OR DELETE ON ${name} FOR EACH ROW ${call}`,
      locks,
    ),
    statement(`CREATE TRIGGER ${quoteIdent(truncate)} AFTER TRUNCATE ON ${name} FOR EACH STATEMENT ${call}`, locks),
    statement(`ALTER TABLE ${name} ${always}`, locks),
    statement(`INSERT INTO ${qualified(layout.progress)} VALUES (${source.oid}, 0, ${blocksOf(name)})`, [
      lock(layout.progress, "ROW EXCLUSIVE"),
    ]),
  ]);
}

/** Number of blocks of a table, as SQL. */
export function blocksOf(name: string): string {
  const size = `pg_catalog.pg_relation_size(${quoteLiteral(name)}::pg_catalog.regclass)`;
  return `${size} / pg_catalog.current_setting('block_size')::int`;
}

/** For a reorganization that is given up; DROP TRIGGER takes more than CREATE TRIGGER did. */
export function dropCapture({ layout }: ReorganizationRendering, source: SourceTable): Statement[] {
  const locks = [lock(source, "ACCESS EXCLUSIVE")];
  return part(`no longer capture changes of ${source.name}`, [
    ...[layout.triggers.rows, layout.triggers.truncate].map((trigger) =>
      statement(`DROP TRIGGER IF EXISTS ${quoteIdent(trigger)} ON ${qualified(source)}`, locks),
    ),
  ]);
}
