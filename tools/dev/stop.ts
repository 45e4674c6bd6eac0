/** `npm run dev:stop`: stops the development server and keeps its data. */
import { errorMessage, logToStderr } from "../processes";
import { stopDevServer } from "./environment";

stopDevServer().then(
  (wasRunning) =>
    logToStderr(wasRunning ? "PostgreSQL is stopped; npm start goes on where it was" : "PostgreSQL was not running"),
  (error: unknown) => {
    process.exitCode = 1;
    logToStderr(errorMessage(error));
  },
);
