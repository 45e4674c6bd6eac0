/** A bucket behind a network on which connections break, fall silent and change bytes. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { StoreError, type StoreFailure } from "../../../archive/store";
import { S3Store } from "../../../archive/stores/s3";
import { describeOnS3 } from "../../support/s3";
import { type Accident, UnreliableNetwork } from "../../support/unreliable-network";

const MIB = 2 ** 20;
const SILENCE_MS = 400;

const failing = (failure: StoreFailure) => (error: unknown) => {
  assert.ok(error instanceof StoreError, String(error));
  assert.equal(error.failure, failure, error.message);
  return true;
};

describeOnS3("a bucket behind an unreliable network", (server) => {
  const content = randomBytes(6 * MIB);
  let network: UnreliableNetwork;
  let bucket: string;
  let store: S3Store;

  beforeEach(async () => {
    bucket = await server().createBucket();
    network = await UnreliableNetwork.to(server().endpoint);
    store = new S3Store(
      { bucket, prefix: "", endpoint: network.endpoint, region: server().region },
      { silenceMs: SILENCE_MS },
    );
  });
  afterEach(() => {
    store.close();
    network.close();
  });

  const put = () => server().client.send(new PutObjectCommand({ Bucket: bucket, Key: "rows", Body: content }));
  const there = async () =>
    content.equals(await buffer(await new S3Store({ bucket, prefix: "", endpoint: server().endpoint }).read("rows")));
  const times = (count: number, accident: Accident) => Array.from({ length: count }, () => accident);

  describe("is read", () => {
    beforeEach(put);

    for (const [title, accident] of [
      ["breaks", { cutAfter: 2 * MIB }],
      ["falls silent", { silentAfter: 2 * MIB }],
    ] as const) {
      it(`to the end when the connection ${title} in the middle, twice`, async () => {
        network.accidents.push(...times(2, accident));
        assert.ok(content.equals(await buffer(await store.read("rows"))));
        assert.equal(network.connections, 3);
      });

      it(`not at all when every connection ${title} before the first byte`, async () => {
        network.accidents.push(
          ...times(20, { ...accident, cutAfter: "cutAfter" in accident ? 0 : Infinity, silentAfter: 0 }),
        );
        await assert.rejects(store.read("rows"), failing("unreachable"));
      });
    }

    it("with an error when no connection gets any further", async () => {
      network.accidents.push({ cutAfter: 2 * MIB }, ...times(40, { cutAfter: 0 }));
      await assert.rejects(buffer(await store.read("rows")), failing("unreachable"));
    });

    it("over a server that is killed and comes back", async () => {
      const rows = await store.read("rows");
      const pieces: Buffer[] = [];
      for await (const piece of rows as AsyncIterable<Buffer>) {
        if (pieces.length === 0) {
          await server().kill();
          await server().start();
        }
        pieces.push(piece);
      }
      assert.ok(content.equals(Buffer.concat(pieces)));
    });

    it("however slowly the bytes come", async () => {
      const few = content.subarray(0, 30_000);
      await server().client.send(new PutObjectCommand({ Bucket: bucket, Key: "few", Body: few }));
      network.accidents.push({ drip: 1000 });
      assert.ok(few.equals(await buffer(await store.read("few"))));
      assert.equal(network.connections, 1);
    });

    it("however slowly its reader takes them", async () => {
      const rows = await store.read("rows");
      const pieces: Buffer[] = [];
      for await (const piece of rows as AsyncIterable<Buffer>) {
        if (pieces.length === 0) await new Promise((resolve) => setTimeout(resolve, 2 * SILENCE_MS));
        pieces.push(piece);
      }
      assert.ok(content.equals(Buffer.concat(pieces)));
      assert.equal(network.connections, 1);
    });

    it("never in two halves of two objects", async () => {
      const rows = await store.read("rows");
      const reading = rows[Symbol.asyncIterator]();
      await reading.next();
      await server().client.send(new PutObjectCommand({ Bucket: bucket, Key: "rows", Body: randomBytes(6 * MIB) }));
      network.cutAll();
      await assert.rejects(async () => {
        while (!(await reading.next()).done);
      }, failing("corrupt"));
    });

    it("when the server asks for patience", async () => {
      const slowDown = "<Error><Code>SlowDown</Code><Message>reduce your request rate</Message></Error>";
      const head = `HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: ${slowDown.length}\r\n`;
      network.accidents.push(...times(2, { answer: `${head}Connection: close\r\n\r\n${slowDown}` }));
      assert.ok(content.equals(await buffer(await store.read("rows"))));
    });
  });

  describe("with a server that does not answer any more", () => {
    beforeEach(put);
    afterEach(() => server().resume());

    const ways: Record<string, (of: S3Store) => Promise<unknown>> = {
      "is not read": async (of) => {
        // All of it may be on its way already when the server falls asleep.
        network.accidents.push({ silentAfter: 2 * MIB });
        const rows = await of.read("rows");
        for await (const _ of rows as AsyncIterable<Buffer>) server().pause();
      },
      "is not written": async (of) => {
        const pieces = async function* () {
          yield content;
          server().pause();
          yield* Array.from({ length: 5 }, () => content);
        };
        await of.write("more", Readable.from(pieces()));
      },
      "is not listed": async (of) => {
        server().pause();
        for await (const _ of of.list(""));
      },
    };

    for (const [title, use] of Object.entries(ways))
      it(`${title}, and it says after a time of silence what to do`, async () => {
        await assert.rejects(use(store), (error: unknown) => {
          assert.ok(failing("unreachable")(error));
          assert.match((error as Error).message, /the store does not answer; try again/);
          return true;
        });
        server().resume();
        assert.ok(await there());
      });

    it("goes on when it answers again before that", async () => {
      const { region } = server();
      const patient = new S3Store({ bucket, prefix: "", endpoint: network.endpoint, region });
      server().pause();
      const reading = patient.read("rows");
      const writing = patient.write("more", Readable.from([content]));
      while (network.connections < 2) await new Promise((resolve) => setImmediate(resolve));
      server().resume();
      assert.ok(content.equals(await buffer(await reading)));
      assert.equal((await writing).bytes, content.length);
      patient.close();
    });
  });

  describe("is written", () => {
    const write = () => store.write("rows", Readable.from([content.subarray(0, MIB), content.subarray(MIB)]));

    for (const [title, accident] of [
      ["breaks", { cutAfter: 0 }],
      ["falls silent", { deafAfter: 2 * MIB }],
    ] as const)
      it(`when the connection ${title} in the middle, once`, async () => {
        network.accidents.push(accident);
        await write();
        assert.ok(await there());
      });

    it("whole or not at all when every connection falls silent", async () => {
      network.accidents.push(...times(20, { deafAfter: 2 * MIB }));
      await assert.rejects(write(), failing("unreachable"));
      assert.equal(await store.find("rows"), undefined);
    });

    it("once, when the answer is lost and the next try finds it there", async () => {
      network.accidents.push({ silentAfter: 0 });
      const written = await write();
      assert.equal(written.bytes, content.length);
      assert.ok(await there());
    });

    it("over a server that is killed and comes back", async () => {
      const long = randomBytes(40 * MIB);
      const pieces = async function* () {
        for (let from = 0; from < long.length; from += MIB) {
          if (from === 20 * MIB) await server().kill();
          if (from === 24 * MIB) await server().start();
          yield long.subarray(from, from + MIB);
        }
      };
      await store.write("long", Readable.from(pieces()));
      assert.ok(long.equals(await buffer(await store.read("long"))));
    });

    it("only as it was sent: a byte that changes on the way is refused", async () => {
      network.accidents.push(...times(20, { flipAt: 3 * MIB }));
      await assert.rejects(write(), StoreError);
      assert.equal(await store.find("rows"), undefined);
    });
  });
});
