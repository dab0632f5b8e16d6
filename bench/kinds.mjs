// How a case is run: its peers take turns, round by round. Each kind gives, of each peer, its rounds or why it failed.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { startTimeMs } from './starts.mjs';
import { peerOf } from './peers.mjs';

const ENDLESS = 1_000_000_000;

/** Each round begins with another peer, so that none always follows the same one. */
const rotated = (list, by) => [...list.slice(by % list.length), ...list.slice(0, by % list.length)];

/** Starts peers, and stops them whatever becomes of `body`. */
export async function withPeers(files, folder, body) {
  const peers = [];
  for (const file of files) peers.push(await peerOf(file, folder));
  try {
    await Promise.all(peers.map((peer) => peer.start()));
    return await body(peers);
  } finally {
    await Promise.all(peers.map((peer) => peer.stop()));
    for (const { file } of peers) rmSync(join(folder, file), { force: true });
  }
}

async function takeTurns(peers, { rounds, tick }, measure) {
  const taken = new Map(peers.map((peer) => [peer, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const peer of rotated(peers, round)) {
      const measured = await measure(peer);
      if (measured !== undefined) taken.get(peer).push(measured);
      tick(peer.name);
    }
  }
  return peers.map((peer) => ({
    name: peer.name,
    file: peer.file,
    failed: peer.failed ?? null,
    rounds: peer.failed === undefined ? taken.get(peer) : [],
  }));
}

/** The order of an echo, as peer-client.mjs takes it. */
export const wordsOf = ({ payload, bytes, inFlight, connections, maxCalls = ENDLESS }, durationMs) => [
  'echo',
  payload,
  bytes,
  inFlight,
  connections,
  durationMs,
  maxCalls,
];

async function echo(task, folder, run) {
  return await withPeers(task.peers, folder, async (peers) => {
    const { warmUpMs, leadInMs, limitMs } = run;
    const call = (peer, ms) => peer.order(wordsOf({ ...task, maxCalls: undefined }, ms), limitMs);
    for (const peer of peers) await call(peer, warmUpMs);
    const rounds = run.rounds * (task.turns ?? 1);
    return await takeTurns(peers, { ...run, rounds }, async (peer) => {
      // While it was the turn of all others its code and data have left the caches of the processor.
      await call(peer, leadInMs);
      return await peer.measure(wordsOf(task, task.durationMs * run.pace), limitMs);
    });
  });
}

async function stream({ peers: files, items }, folder, run) {
  return await withPeers(files, folder, async (peers) => {
    const order = ['stream', items];
    for (const peer of peers) await peer.order(order, run.limitMs);
    return await takeTurns(peers, run, (peer) => peer.measure(order, run.limitMs));
  });
}

const IDLE_LIMIT_MS = 120_000;

/** The busy client's rate beside the idle ones and without them, in turns; and what an idle one takes of the server's memory. */
async function idle(task, folder, run) {
  const taken = [];
  for (const file of task.peers) {
    // One after the other: so many connections of several peers would be too many for one machine.
    const [result] = await withPeers([file], folder, async ([peer]) => {
      await peer.order(wordsOf(task, run.warmUpMs), run.limitMs);
      // Behind connections that came or went, or a collection of garbage, it is a while until all is as it was.
      const rate = async () => {
        await peer.order(wordsOf(task, run.warmUpMs), run.limitMs);
        return (await peer.measure(wordsOf(task, task.durationMs * run.pace), run.limitMs))?.callsPerSecond;
      };
      return await takeTurns([peer], run, async () => {
        const without = await rate();
        const before = await peer.collectedBytes();
        const opened = await peer.order(['idle', task.idle], IDLE_LIMIT_MS);
        const after = await peer.collectedBytes();
        const beside = await rate();
        await peer.order(['leave'], IDLE_LIMIT_MS);
        if (opened === undefined || beside === undefined) return undefined;
        const bytesPerConnection = (after - before) / opened.connections;
        return { callsPerSecond: beside, bytesPerConnection, besideIdle: beside / without };
      });
    });
    taken.push(result);
  }
  return taken;
}

async function start({ peers: names }, folder, run) {
  const peers = names.map((name) => ({ name, file: name }));
  return await takeTurns(peers, { ...run, rounds: run.starts }, async (peer) => {
    const startUs = (await startTimeMs(peer.name, folder)) * 1000;
    return { p50Us: startUs };
  });
}

export const KINDS = { echo, stream, idle, start };
