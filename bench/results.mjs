// What was measured, in the form in which it is kept.
import { cpus, totalmem } from 'node:os';
import { payloadOf } from './payloads.mjs';
import { median } from './statistics.mjs';

const KEYS = ['callsPerSecond', 'p50Us', 'p99Us', 'serverCpuUsPerCall', 'clientCpuUsPerCall', 'serverRssMiB'];
const IDLE_KEYS = ['bytesPerConnection', 'besideIdle'];

const rounded = (value) =>
  typeof value === 'number' && Number.isFinite(value) ? Number(value.toPrecision(6)) : null;

function peerResult({ name, file, failed, rounds }) {
  const keys = [...KEYS, ...IDLE_KEYS.filter((key) => rounds.some((round) => key in round))];
  const medians = keys.map((key) => [key, rounded(median(rounds.map((round) => round[key])))]);
  const kept = rounds.map((round) =>
    Object.fromEntries(Object.entries(round).map(([key, value]) => [key, rounded(value)])),
  );
  return { name, file, ...Object.fromEntries(medians), failed, rounds: kept };
}

/** @param peers as one of KINDS gives them. */
export function caseResult({ id, kind, payload, inFlight, connections }, peers) {
  const { says, bytes } = payload === undefined ? { says: null, bytes: 0 } : payloadOf(payload);
  return {
    id,
    kind,
    payload: says,
    payloadBytes: bytes,
    inFlight,
    connections,
    peers: peers.map(peerResult),
  };
}

/** The machine that it was measured on, in words. */
function machine() {
  const [{ model }] = cpus();
  return `${cpus().length} x ${model.trim()}, ${Math.round(totalmem() / 1024 ** 3)} GiB, ${process.platform}`;
}

export function runResult(rounds, cases) {
  return { machine: machine(), date: new Date().toISOString(), node: process.version, rounds, cases };
}
