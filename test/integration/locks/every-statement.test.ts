/**
 * For every statement that the module can issue, the relations and modes that it says it locks are those that the server
 * shows in `pg_locks`. What there is to compare is found in the sources, so that a statement without a comparison fails.
 */
import assert from "node:assert/strict";
import { describeOnEachPostgres } from "../../support/postgres";
import { recordCompared } from "../postgres/predicted-locks";
import { comparesAttributes } from "./attributes";
import { comparesIndexes } from "./indexes";
import { comparesParents } from "./parents";
import { comparesReorganizations } from "./reorganizations";
import { isReadOfCatalog, type SqlText, sqlTexts } from "./sql-texts";
import { comparesSteps } from "./steps";
import { comparesSubtrees } from "./subtrees";
import { comparesTrees } from "./trees";

/** Texts that are in nobody's way, by file, with the reason; all others have to have been compared. */
const APART: { file: RegExp; text?: RegExp; why: string; since?: number; until?: number }[] = [
  { file: /^postgres\/table\/(scratch|retype)\.ts$/, why: "temporary tables of the session itself" },
  { file: /^postgres\/index\/read\.ts$/, why: "a temporary table of the session itself, rolled back" },
  { file: /^(postgres|provider\/partitionSet)\/(holdings|occupancy)\.ts$/, why: "looks for a row: ACCESS SHARE" },
  { file: /^postgres\/worker\.ts$/, text: /^SELECT EXISTS/, why: "looks for a row under the lock of the transaction" },
  { file: /^postgres\/table\/apply\.ts$/, text: /^SELECT /, why: "looks for a row under the lock of the transaction" },
  {
    file: /^(archive\/beside|postgres\/archive\/standalone)\.ts$/,
    why: "a table that the command itself has made, which nobody else knows",
  },
  {
    file: /^archive\/misfit\.ts$/,
    text: /^SELECT count/,
    why: "a table that the restore itself has made, under the lock that it is dropped with",
  },
  { file: /^postgres\/archive\/characters\.ts$/, why: "a query to show, not sent" },
  { file: /^postgres\/reorganize\/state\.ts$/, why: "reads tables of the reorganization itself" },
  {
    file: /^postgres\/reorganize\/capture\.ts$/,
    text: /^(INSERT|DELETE) .* (VALUES|copy) ?/,
    why: "body of a trigger",
  },
  {
    file: /^postgres\/table\/rules\/context\.ts$|foreign-keys\.ts$/,
    text: /^SELECT /,
    why: "a query to show, not sent",
  },
  { file: /^postgres\/index\/worker\.ts$/, text: /^SELECT /, why: "a query to show, not sent" },
  { file: /rendering\.ts$/, text: /^ALTER PUBLICATION/, why: "on 14 only", since: 15 },
  { file: /^postgres\/adjust\.ts$/, text: /IDENTITY$/, why: "up to 16 only", since: 17 },
  { file: /^postgres\/adjust\.ts$/, text: /^SET EXPRESSION/, why: "from 17 on", until: 16 },
  { file: /^postgres\/generated\.ts$/, why: "from 17 on", until: 16 },
  {
    file: /^postgres\/childAttributes\.ts$/,
    text: / PARTITION (BY LIST|OF)|DROP TABLE|DETACH/,
    why: "up to 16",
    since: 17,
  },
  {
    file: /^postgres\/childAttributes\.ts$/,
    text: / PARTITION (BY LIST|OF)|DROP TABLE|DETACH/,
    why: "from 16 on",
    until: 15,
  },
  { file: /^postgres\/catalog\/expressions\.ts$/, why: "a temporary table of the session itself, dropped" },
  { file: /^postgres\/adjust\.ts$/, text: /^SET ACCESS METHOD/, why: "from 15 on", until: 14 },
  {
    file: /^postgres\/table\/rules\/foreign-keys\.ts$/,
    text: /^ALTER TABLE … (ADD … NOT VALID|VALIDATE CONSTRAINT …)$/,
    why: "of the parent from 18 on",
    until: 17,
  },
];

describeOnEachPostgres("locks of statements", (server) => {
  let compared: ReadonlySet<string>;
  before(() => {
    compared = recordCompared();
  });

  describe("about partitions", () => comparesSteps(server));
  describe("below the first level", () => comparesTrees(server));
  describe("about attributes of partitions", () => comparesAttributes(server));
  describe("that move rows", () => comparesReorganizations(server));
  describe("that move rows of subtrees", () => comparesSubtrees(server));
  describe("about indexes", () => comparesIndexes(server));
  describe("about parents", () => comparesParents(server));

  const isApart = ({ file, text }: SqlText) =>
    APART.some(
      (one) =>
        one.file.test(file) &&
        (one.text?.test(text) ?? true) &&
        server().major >= (one.since ?? 0) &&
        server().major <= (one.until ?? server().major),
    );

  describe("of the sources", () => {
    it("have all been compared", () => {
      const texts = sqlTexts().filter((one) => !isReadOfCatalog(one) && !isApart(one));
      assert.ok(texts.length > 100, `${texts.length} texts`);
      const all = [...compared];
      const missing = texts.filter(({ pattern }) => !all.some((sql) => pattern.test(sql)));
      assert.deepEqual(
        missing.map(({ place, text }) => `${place} ${text}`),
        [],
      );
    });
  });
});
