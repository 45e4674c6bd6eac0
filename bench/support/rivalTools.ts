/** The other tools that `bench/locks` measures, fetched once into the cache by the ordinary clients of their registries. */
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheRoot, installOnce } from "../../tools/cache";
import { logToStderr, run, withProgress } from "../../tools/processes";

const PARTSMITH = "1.10.0";
const PARTMAN_PACKAGE = "postgresql-18-partman";

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

/**
 * The directory for `extension_control_path` with pg_partman's SQL files, out of Debian's package. Debian's stable
 * releases have none for PostgreSQL 18, so that it comes from "sid", read with lists of our own beside the system's.
 */
export async function ensurePartman(): Promise<string> {
  const directory = join(cacheRoot(), "bench", PARTMAN_PACKAGE);
  await installOnce(directory, (scratch) =>
    withProgress(logToStderr, `Fetching ${PARTMAN_PACKAGE} from Debian`, async () => {
      const apt = join(scratch, "apt");
      await mkdir(join(apt, "lists", "partial"), { recursive: true });
      const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
      const sources = join(apt, "sources.list");
      await writeFile(sources, `deb [signed-by=${keyring}] http://deb.debian.org/debian sid main\n`);
      const settings = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": join(apt, "lists"),
        "Dir::Cache": join(apt, "cache"),
        "APT::Sandbox::User": "root",
      };
      const options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
      await run("apt-get", [...options, "update"], { cwd: apt });
      await run("apt-get", [...options, "download", PARTMAN_PACKAGE], { cwd: apt });
      const [file = ""] = (await readdir(apt)).filter((name) => name.endsWith(".deb"));
      await run("dpkg-deb", ["-x", join(apt, file), join(scratch, "package")], {});
      await rm(apt, { recursive: true });
      await run("chmod", ["-R", "a+rX", scratch], {});
    }),
  );
  return join(directory, "package", "usr", "share", "postgresql", "18");
}
