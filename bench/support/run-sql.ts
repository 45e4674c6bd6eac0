/** Sends statements one after the other over one connection: `node run-sql.ts <connection> <statements>`, both as JSON. */
const { Client } = require("pg") as typeof import("pg");

async function main(): Promise<void> {
  const [connection = "", statements = ""] = process.argv.slice(2);
  const client = new Client(JSON.parse(connection));
  // What a function has caught and only tells about.
  client.on("notice", ({ message }) => process.stderr.write(`${message}\n`));
  await client.connect();
  for (const sql of JSON.parse(statements) as string[]) await client.query(sql);
  await client.end();
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
});
