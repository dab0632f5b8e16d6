type Run = (runEndHook: () => void) => Promise<void>;

/**
 * Runs a call under Nest's processing hooks. A start hook that throws or rejects ends its own call alone: it is `broken`, unless the
 * call runs by then and ends by itself; what it threw is logged then.
 *
 * @param start Nest's own way: it runs the start hooks, then what it is given.
 */
export function runUnderHooks(
  start: (run: Run) => unknown,
  run: Run,
  broken: (error: unknown) => void,
  log: (error: unknown) => void,
): void {
  let isRunning = false;
  const failed = (error: unknown): void => {
    if (isRunning) log(error);
    else broken(error);
  };
  const begun: Run = (runEndHook) => {
    isRunning = true;
    return run(runEndHook);
  };
  try {
    Promise.resolve(start(begun)).catch(failed);
  } catch (error) {
    failed(error);
  }
}
