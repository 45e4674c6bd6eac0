/**
 * Required by mocha before all tests: what `pg` warns of as deprecated fails the test that is running, because it will be an
 * error in the next version of `pg`; the first time in a process, after which Node.js says nothing more.
 */
import { sep } from "node:path";

const OF_PG = `${sep}node_modules${sep}pg${sep}`;

process.on("warning", (warning) => {
  if (warning.name === "DeprecationWarning" && warning.stack?.includes(OF_PG)) throw warning;
});
