/** `npm start`. */

import { insertRows } from "../../systems/generate";
import { applyPrerequisites } from "../../systems/prerequisites";
import { mainJob, PhaseFailure } from "./main-job";

const WHAT_NEXT = `
== Done: the stack is up and the last preview shows no changes
PostgreSQL goes on running. To work on the stack by hand:
  eval "$(npm run -s dev:env)"
  pulumi preview --diff        edit index.ts or systems/ and see what that would change
  psql                         look at the tables (where psql is installed)
npm start                      once more: no changes
npm run dev:stop               stops PostgreSQL, keeps the data
npm run dev:reset              stops PostgreSQL and forgets everything
`;

mainJob({ applyPrerequisites, insertRows }, (message) => process.stdout.write(`${message}\n`)).then(
  () => process.stdout.write(WHAT_NEXT),
  (error: unknown) => {
    process.exitCode = 1;
    process.stderr.write(`\n${error instanceof PhaseFailure ? error.message : String(error)}\n`);
  },
);
