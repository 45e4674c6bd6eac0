/**
 * Runs one of this folder's TypeScript programs: `node tools/run.mjs dev/start [arguments]`. Plain JavaScript without
 * dependencies, because in a clean clone there are none: it installs what the lockfile names when that is not there yet,
 * then hands over to the project's own version of Node.js.
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const checkout = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const programs = join(checkout, "node_modules", ".bin");

/** Whether node_modules holds what the lockfile names; optional packages are those of other platforms. */
function isInstalled() {
  const installedFile = join(checkout, "node_modules", ".package-lock.json");
  if (!existsSync(installedFile)) {
    return false;
  }
  const installed = readPackages(installedFile);
  const wanted = Object.entries(readPackages(join(checkout, "package-lock.json")));
  const isNeeded = ([path, entry]) => path !== "" && !entry.optional && !entry.devOptional;
  return wanted.filter(isNeeded).every(([path, entry]) => installed[path]?.version === entry.version);
}

function readPackages(file) {
  return JSON.parse(readFileSync(file, "utf8")).packages;
}

/** Runs a program to its end and gives its exit status. Ctrl-C reaches it by itself; we stay to see how it ends. */
function run(program, args, stdio) {
  const path = [programs, process.env.PATH].filter(Boolean).join(delimiter);
  const ignore = () => {};
  process.on("SIGINT", ignore);
  return new Promise((done) => {
    const child = spawn(program, args, { cwd: checkout, env: { ...process.env, PATH: path }, stdio });
    const passOn = (signal) => child.kill(signal);
    process.on("SIGTERM", passOn);
    child.once("error", (error) => {
      process.stderr.write(`${program} cannot be started: ${error.message}\n`);
      done(1);
    });
    child.once("exit", (status) => {
      process.off("SIGINT", ignore);
      process.off("SIGTERM", passOn);
      done(status ?? 1);
    });
  });
}

async function main([program, ...args]) {
  if (!isInstalled()) {
    process.stderr.write("Installing dependencies (npm ci) …\n");
    const status = await run("npm", ["ci", "--loglevel=error"], ["ignore", 2, 2]);
    if (status !== 0) {
      process.stderr.write("The dependencies could not be installed; npm says why above.\n");
      return status;
    }
  }
  const script = join(checkout, "tools", `${program}.ts`);
  return run(join(programs, "node"), ["--require", "tsx/cjs", script, ...args], "inherit");
}

process.exitCode = await main(process.argv.slice(2));
