/** The other tools that `bench/locks` measures, fetched once into the cache by the ordinary clients of their registries. */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheRoot, installOnce } from "../../tools/cache";
import { logToStderr, run, withProgress } from "../../tools/processes";

export const PARTSMITH = "1.10.0";

/** The `pg-partsmith` command, in a Python environment of its own. */
export async function ensurePartsmith(): Promise<string> {
  const directory = join(cacheRoot(), "bench", `pg-partsmith-${PARTSMITH}`);
  // A Python environment knows its own path, so that it is made where it stays and renamed only as a mark of success.
  const made = join(cacheRoot(), "bench", `python-${PARTSMITH}`);
  await installOnce(directory, (scratch) =>
    withProgress(logToStderr, `Installing pg-partsmith ${PARTSMITH}`, async () => {
      await rm(made, { recursive: true, force: true });
      await run("python3", ["-m", "venv", made], {});
      const packages = [`pg-partsmith[cli]==${PARTSMITH}`, "psycopg[binary]"];
      await run(join(made, "bin", "pip"), ["install", "--quiet", ...packages], {});
      await writeFile(join(scratch, "installed"), `${PARTSMITH}\n`);
    }),
  );
  return join(made, "bin", "pg-partsmith");
}
