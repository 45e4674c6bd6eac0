/** Who has looked into an archive in S3, or has worked with it, gives the connections up. */
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { describeOnNewest } from "../../support/postgres";
import { RecordingProxy } from "../../support/recording-proxy";
import { describeOnS3 } from "../../support/s3";
import { OneResource } from "./one-resource";
import { EVENTS } from "./support";

describeOnNewest("connections to an archive", (server) => {
  describeOnS3("in a bucket", (s3) => {
    it("are open for no longer than a preview, an update or a refresh takes", async () => {
      const database = await server().createDatabase();
      const proxy = await RecordingProxy.to(s3().endpoint);
      const client = await database.client();
      try {
        await client.query(EVENTS);
        const store = `s3://${await s3().createBucket()}?endpoint=${proxy.endpoint}&region=${s3().region}`;
        const set = new OneResource(database.connection);
        const program = {
          table: "events",
          partitionBy: { range: { column: "created_at", type: "timestamptz", every: "month" } },
          window: { from: "2024-01", ahead: 0 },
          asOf: "2024-03",
          lifecycle: [{ after: "1 month", tier: "exported" }],
          unmanaged: "ignore",
          archive: { store },
        };
        for (const operation of [() => set.preview(program), () => set.up(program), () => set.refresh()]) {
          const before = proxy.requests.length;
          await operation();
          assert.ok(proxy.requests.length > before);
          while ((await proxy.connections()) > 0) await pause(20);
        }
        assert.equal(set.tiers.events_2024_01, "exported");
      } finally {
        proxy.close();
        await client.end();
        await database.drop();
      }
    });
  });
});
