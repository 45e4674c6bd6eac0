import assert from "node:assert/strict";
import { standalone } from "../../../postgres/archive/standalone";
import { ArchiveError } from "../../../postgres/errors";

const PARTITION = { schema: "app", name: 'odd "name' };
const INTO = { schema: "audit", name: "t" };

describe("the manifest's text for a table by itself", () => {
  it("has the columns, and nothing of what the partition is divided into", () => {
    const create = [
      `CREATE TABLE "app"."odd ""name" ("a)" text NOT NULL, b text GENERATED ALWAYS AS ((') PARTITION BY ('::text || "a)")) STORED) PARTITION BY RANGE ((lower("a)")))`,
      `CREATE TABLE "app"."below" PARTITION OF "app"."odd ""name" DEFAULT`,
    ];
    const finish = [
      `ALTER TABLE "app"."odd ""name" ADD CONSTRAINT "key 1" PRIMARY KEY ("a)")`,
      `ALTER TABLE "app"."odd ""name" ADD CONSTRAINT "is it" CHECK ((b <> ''::text))`,
      `ALTER TABLE "app"."below" ADD CONSTRAINT "own" CHECK (true)`,
      `CREATE UNIQUE INDEX some_name ON app."odd ""name" USING btree (b) WHERE (b ~~ ' ON x.y USING '::text)`,
      `CREATE INDEX "ON a.b" ON app.below USING btree (b)`,
    ];
    assert.deepEqual(standalone({ create, copy: [], finish }, PARTITION, INTO), {
      create: `CREATE TABLE "audit"."t" ("a)" text NOT NULL, b text GENERATED ALWAYS AS ((') PARTITION BY ('::text || "a)")) STORED)`,
      finish: [
        `ALTER TABLE "audit"."t" ADD PRIMARY KEY ("a)")`,
        `ALTER TABLE "audit"."t" ADD CONSTRAINT "is it" CHECK ((b <> ''::text))`,
        `CREATE UNIQUE INDEX ON "audit"."t" USING btree (b) WHERE (b ~~ ' ON x.y USING '::text)`,
      ],
    });
  });

  it("is refused when it is not what this product writes", () => {
    for (const create of [[], ["CREATE TABLE app.other (a text)"], ['CREATE TABLE "app"."odd ""name" (a text']])
      assert.throws(() => standalone({ create, copy: [], finish: [] }, PARTITION, INTO), ArchiveError);
  });
});
