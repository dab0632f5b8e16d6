// The peers that are there.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PeerProcess } from './peer-process.mjs';

const FOLDER = join(import.meta.dirname, 'peers');

export const peerFiles = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.mjs'))
  .map((file) => file.slice(0, -'.mjs'.length));

const NATIVE_MISSING = 'no C compiler here';

/** Makes a peer, which has not started. @param folder for its socket. */
export async function peerOf(file, folder) {
  const { name, build } = await import(join(FOLDER, `${file}.mjs`));
  const native = build?.(folder);
  const peer = new PeerProcess(file, name, folder, native);
  if (build !== undefined && native === undefined) peer.failed = NATIVE_MISSING;
  return peer;
}
