import type { Dialect } from '../protocol/dialects/dialect.js';
import { UdsError } from '../protocol/errors.js';
import type { ConnectionOwner, ConnectionSettings } from './connection.js';
import { dial } from './dialer.js';
import type { SocketOwner } from './socket-file.js';

const ignore = (): void => undefined;

/**
 * Asks an existing socket file who lives there: an answer, silence and a full queue all mean that somebody does.
 *
 * @param dialect what is spoken there, as far as one can know; where it is left out a hello is said.
 * @throws PERMISSION_DENIED where nobody can tell.
 */
export async function probe(
  path: string,
  settings: ConnectionSettings,
  timeoutMs: number,
  dialect: Dialect | undefined,
): Promise<SocketOwner> {
  let pid: number | undefined;
  const owner: ConnectionOwner = {
    opened: (connection) => {
      pid = connection.session.peer?.pid;
      connection.leave();
    },
    called: ignore,
    refused: ignore,
    left: ignore,
    freed: ignore,
    closed: ignore,
  };
  try {
    await dial(path, { ...settings, role: 'client' }, owner, timeoutMs, undefined, dialect);
  } catch (error) {
    if (!(error instanceof UdsError)) throw error;
    if (error.code === 'CONNECTION_REFUSED' || error.code === 'SERVER_NOT_FOUND') return 'stale';
    if (error.code === 'PERMISSION_DENIED') throw error;
  }
  return { pid };
}
