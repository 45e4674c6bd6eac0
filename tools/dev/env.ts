/** `npm run -s dev:env`: prints what a shell must evaluate to work on the development stack. */
import { errorMessage, logToStderr } from "../processes";
import { ensureDevEnvironment } from "./environment";
import { toShell } from "./shell";

ensureDevEnvironment(logToStderr).then(
  (environment) => {
    process.stdout.write(toShell(environment));
    // The variables name one database and one configuration file, whatever `--stack` says.
    logToStderr("This shell now works on the stack dev; use another shell for other stacks");
  },
  (error: unknown) => {
    process.exitCode = 1;
    process.stderr.write(`${errorMessage(error)}\n`);
  },
);
