/** What is declared for partitions and not for their parent: storage parameters, tablespace, access method, comment. */

const DATABASE_TABLESPACE =
  "(SELECT s.spcname::text FROM pg_catalog.pg_database b JOIN pg_catalog.pg_tablespace s ON s.oid = b.dattablespace" +
  " WHERE b.datname = current_database())";

const DEFAULT_METHOD = "current_setting('default_table_access_method')";

const TABLESPACE = (relation: string) =>
  `coalesce((SELECT s.spcname::text FROM pg_catalog.pg_tablespace s WHERE s.oid = ${relation}.reltablespace), ${DATABASE_TABLESPACE})`;

const METHOD = (relation: string) =>
  `coalesce((SELECT m.amname::text FROM pg_catalog.pg_am m WHERE m.oid = ${relation}.relam), ${DEFAULT_METHOD})`;

/** The row about the parent says what a partition without a row has. */
export const STORED = `
SELECT $6::oid, 'tablespace', NULL, NULL, NULL, NULL, NULL, ${DATABASE_TABLESPACE}
UNION ALL
SELECT $6::oid, 'accessMethod', NULL, NULL, NULL, NULL, NULL, ${DEFAULT_METHOD}
UNION ALL
SELECT p.child, 'tablespace', NULL, NULL, NULL, NULL, ${TABLESPACE("u")}, ${TABLESPACE("p")}
FROM pairs p JOIN parents u ON u.oid = p.parent
WHERE p.relkind = 'r' AND (p.reltablespace <> 0 OR u.reltablespace <> 0)
UNION ALL
SELECT p.child, 'accessMethod', NULL, NULL, NULL, NULL, ${METHOD("u")}, ${METHOD("p")}
FROM pairs p JOIN parents u ON u.oid = p.parent
WHERE p.relkind = 'r' AND (u.relam <> 0
  OR p.relam <> (SELECT m.oid FROM pg_catalog.pg_am m WHERE m.amname = ${DEFAULT_METHOD}))
UNION ALL
SELECT p.child, 'storageParameters', o.option_name, NULL, NULL, NULL, NULL, o.option_value
FROM pairs p, pg_catalog.pg_options_to_table(p.reloptions) o
WHERE p.relkind = 'r'
UNION ALL
SELECT p.child, 'storageParameters', 'toast.' || o.option_name, NULL, NULL, NULL, NULL, o.option_value
FROM pairs p JOIN pg_catalog.pg_class t ON t.oid = p.reltoastrelid AND t.reloptions IS NOT NULL,
  pg_catalog.pg_options_to_table(t.reloptions) o
UNION ALL
SELECT p.child, 'comment', NULL, NULL, NULL, NULL, NULL, d.description
FROM pairs p JOIN comments d ON d.relation = p.child AND d.attribute = 0`;
