/** pg_partman, which benchmarks and tests have beside this module: SQL files only, fetched once into the cache. */
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheRoot, installOnce } from "./cache";
import { logToStderr, run, withProgress } from "./processes";

/** Major versions of PostgreSQL with a package, and the release that has it: 4.7.2 for 15, 5.5 for 18. */
const RELEASES = { 15: "bookworm", 18: "sid" } as const;

/**
 * The directory for `extension_control_path` with pg_partman's SQL files, out of Debian's package, read with lists of
 * our own beside the system's.
 */
export async function ensurePartman(major: keyof typeof RELEASES): Promise<string> {
  const name = `postgresql-${major}-partman`;
  const directory = join(cacheRoot(), "bench", name);
  await installOnce(directory, (scratch) =>
    withProgress(logToStderr, `Fetching ${name} from Debian`, async () => {
      const apt = join(scratch, "apt");
      await mkdir(join(apt, "lists", "partial"), { recursive: true });
      const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
      const sources = join(apt, "sources.list");
      await writeFile(sources, `deb [signed-by=${keyring}] http://deb.debian.org/debian ${RELEASES[major]} main\n`);
      const settings = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": join(apt, "lists"),
        "Dir::Cache": join(apt, "cache"),
        "APT::Sandbox::User": "root",
      };
      const options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
      await run("apt-get", [...options, "update"], { cwd: apt });
      await run("apt-get", [...options, "download", name], { cwd: apt });
      const [file = ""] = (await readdir(apt)).filter((name) => name.endsWith(".deb"));
      await run("dpkg-deb", ["-x", join(apt, file), join(scratch, "package")], {});
      await rm(apt, { recursive: true });
      await run("chmod", ["-R", "a+rX", scratch], {});
    }),
  );
  return join(directory, "package", "usr", "share", "postgresql", String(major));
}
