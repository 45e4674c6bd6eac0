/** `npm run dev:reset`: stops the development server and removes everything that belongs to the environment. */
import { errorMessage, logToStderr } from "../processes";
import { resetDevEnvironment } from "./environment";

resetDevEnvironment().then(
  () => logToStderr("The development environment is gone; npm start makes a new one"),
  (error: unknown) => {
    process.exitCode = 1;
    logToStderr(errorMessage(error));
  },
);
