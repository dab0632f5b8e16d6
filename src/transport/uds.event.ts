import { finalize, isObservable } from 'rxjs';

/**
 * Runs an event's handlers; resolves when they have ended, the Observable that they gave included.
 *
 * @param failed is told of an error that got past Nest's filters; those of an Observable they have logged.
 */
export async function runEvent(handle: () => unknown, failed: (error: unknown) => void): Promise<void> {
  try {
    const result: unknown = await handle();
    if (!isObservable(result)) return;
    await new Promise<void>((resolve) => {
      result.pipe(finalize(resolve)).subscribe({ error: () => undefined });
    });
  } catch (error) {
    failed(error);
  }
}
