import { Buffer } from 'node:buffer';
import { errorOf } from '../protocol/errors.js';

/** What `sun_path` holds without its closing zero: unix(7) on Linux, <sys/un.h> on macOS. */
export const MAX_PATH_BYTES = process.platform === 'darwin' ? 103 : 107;

/**
 * Node 20 and 22 cut a longer path short without an error, so it is refused here.
 *
 * @param suffixBytes what will be added to the path before it is bound.
 * @throws UsageError PATH_TOO_LONG
 */
export function assertPathFits(path: string, suffixBytes = 0): void {
  const length = Buffer.byteLength(path);
  const limit = MAX_PATH_BYTES - suffixBytes;
  if (length <= limit) return;
  throw errorOf(
    'PATH_TOO_LONG',
    `The socket path ${path} has ${length} bytes; at most ${limit} fit. Choose a shorter one (option path).`,
  );
}
