/** A partition's own generation expression through the engine: made, changed in the program, refused where PostgreSQL cannot. */
import assert from "node:assert/strict";
import { describeOnOldestAndNewest } from "../support/postgres";
import { TestStack } from "../support/stack";

const program = (generated?: Record<string, string>) => `
new pgp.PartitionedTable("sales", {
  columns: [
    { name: "id", type: "bigint", nullable: false },
    { name: "net", type: "int", nullable: false },
    { name: "total", type: "int", generated: { expression: "net * 2" } },
  ],
  primaryKey: ["id"],
  partitionBy: { range: { column: "id" } },
  partitions: { low: { from: 0, to: 10 }, high: { from: 10, to: 20, generated: ${JSON.stringify(generated)} } },
}, { provider });`;

describeOnOldestAndNewest("a partition's own generation expression", (server) => {
  it("is shown, made and changed with its rows, or refused with the reason", async () => {
    const database = await server().createDatabase();
    const stack = await TestStack.create({ database: database.connection, program: program() });
    try {
      const client = await database.client();
      await stack.mustUp();
      await client.query("INSERT INTO sales (id, net) VALUES (1, 7), (11, 7)");
      await stack.setProgram(program({ total: "net * 3" }));
      const { output } = await stack.previewText();
      if (server().major < 16) {
        assert.match(output, /PostgreSQL 14 takes no partition with an expression of its own \(42804\)/);
        assert.notEqual((await stack.up()).code, 0);
        return;
      }
      assert.match(output, /total: "net \* 3"/);
      assert.match(output, /SET EXPRESSION AS \(\(net \* 3\)\)/);
      await stack.mustUp();
      const { rows } = await client.query("SELECT id::int, total FROM sales ORDER BY id");
      assert.deepEqual(rows, [
        { id: 1, total: 14 },
        { id: 11, total: 21 },
      ]);
      const { code, output: second } = await stack.run(["preview", "--expect-no-changes", "--refresh"]);
      assert.equal(code, 0, second);
    } finally {
      await stack.remove();
      await database.drop();
    }
  });
});
