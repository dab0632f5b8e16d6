// The figures to reach, as ratios of one run. A ratio is taken round by round, since the machine changes from one to the next
// by more than the peers differ; what counts is the median of these.
import { median } from './statistics.mjs';

const TCP = ['nest-tcp', 'nest-tcp-path'];

const peerOf = (result, file) => result?.peers.find((peer) => peer.file === file && peer.failed === null);

/** Of each round: what ours has by what the best of the others has. */
function ratiosOf(result, others, key, best) {
  const ours = peerOf(result, 'nest-uds');
  const theirs = others.map((file) => peerOf(result, file)).filter((peer) => peer !== undefined);
  if (ours === undefined || theirs.length === 0) return [];
  return ours.rounds.map(
    (round, index) => round[key] / best(...theirs.map((peer) => peer.rounds[index][key])),
  );
}

const cpuOf = ({ serverCpuUsPerCall, clientCpuUsPerCall }) => serverCpuUsPerCall + clientCpuUsPerCall;

function cpuRatios(result, others) {
  const ours = peerOf(result, 'nest-uds');
  const theirs = others.map((file) => peerOf(result, file)).filter((peer) => peer !== undefined);
  if (ours === undefined || theirs.length === 0) return [];
  return ours.rounds.map(
    (round, index) => cpuOf(round) / Math.min(...theirs.map((peer) => cpuOf(peer.rounds[index]))),
  );
}

const rate = (id, says, others, limits) => ({
  id,
  says,
  ...limits,
  ratios: (results) => ratiosOf(results.get(id.split('/')[0]), others, 'callsPerSecond', Math.max),
});

const p50 = (id, says, other, limits) => ({
  id,
  says,
  ...limits,
  ratios: (results) => ratiosOf(results.get(id.split('/')[0]), [other], 'p50Us', Math.min),
});

/** `least` and `most` are what is to be reached; without either the figure is only told. */
export const FIGURES = [
  rate('64B-64/tcp', '64 B, 64 in flight: rate to Nest TCP', TCP, { least: 4.5 }),
  rate('64B-64/floor', '64 B, 64 in flight: rate to the floor', ['floor'], {}),
  rate('64B-1024/tcp', '64 B, 1024 in flight: rate to Nest TCP', TCP, { least: 6.5 }),
  rate('64B-1024/floor', '64 B, 1024 in flight: rate to the floor', ['floor'], {}),
  p50('64B-1/net', '64 B, 1 in flight: p50 to bare net', 'net', { most: 1.4 }),
  p50('64B-1/floor', '64 B, 1 in flight: p50 to the floor', 'floor', { most: 1.2 }),
  p50('64B-1/tcp', '64 B, 1 in flight: p50 to Nest TCP on 127.0.0.1', 'nest-tcp', { most: 0.65 }),
  p50('64B-1/path', '64 B, 1 in flight: p50 to Nest TCP on a path', 'nest-tcp-path', { most: 0.9 }),
  rate('1KiB-64/tcp', '1 KiB object, 64 in flight: rate to Nest TCP', TCP, { least: 2.2 }),
  rate('64KiB-4/tcp', '64 KiB string, 4 in flight: rate to Nest TCP', TCP, { least: 2.5 }),
  rate('1MiB-2/net', '1 MiB Buffer, 2 in flight: rate to bare net', ['net'], { least: 0.7 }),
  rate('1MiB-2/tcp', '1 MiB Buffer, 2 in flight: rate to Nest TCP', TCP, { least: 25 }),
  ...['64B-64', '1KiB-64'].flatMap((id) =>
    [
      ['grpc', 'gRPC'],
      ['fastify', 'Fastify + undici'],
      ['zeromq', 'zeromq.js'],
    ].map(([file, name]) =>
      rate(`${id}/${file}`, `${id.replace('-', ', ')} in flight: rate to ${name}`, [file], { least: 3 }),
    ),
  ),
  rate('stream/tcp', 'stream of small items: rate to Nest TCP', TCP, { least: 3 }),
  rate('64B-1024-256c/floor', '256 connections, 1024 in flight: rate to the floor', ['floor'], {
    least: 0.6,
  }),
  rate('64B-1024-256c/tcp', '256 connections, 1024 in flight: rate to Nest TCP', TCP, { least: 1.5 }),
  {
    id: '64B-64/cpu',
    says: '64 B, 64 in flight: CPU a call to Nest TCP',
    most: 0.25,
    ratios: (results) => cpuRatios(results.get('64B-64'), TCP),
  },
  {
    id: '64B-64/cpu-floor',
    says: '64 B, 64 in flight: CPU a call to the floor',
    ratios: (results) => cpuRatios(results.get('64B-64'), ['floor']),
  },
  {
    id: 'idle/memory',
    says: '10,000 idle connections: KiB each over bare net',
    most: 12,
    ratios: (results) => idleKiB(results.get('idle')),
  },
  {
    id: 'idle/busy',
    says: '10,000 idle connections: what a busy client keeps of its rate',
    least: 0.95,
    ratios: (results) =>
      peerOf(results.get('idle'), 'nest-uds')?.rounds.map((round) => round.besideIdle) ?? [],
  },
  {
    id: 'start-sidecar',
    says: 'start of the sidecar to a bare microservice',
    most: 1.3,
    ratios: (results) => startRatios(results.get('start-sidecar'), 'sidecar', 'bare-microservice'),
  },
];

function idleKiB(result) {
  const [ours, bare] = ['nest-uds', 'net'].map((file) => peerOf(result, file)?.rounds ?? []);
  return ours.map(
    (round, index) => (round.bytesPerConnection - (bare[index]?.bytesPerConnection ?? NaN)) / 1024,
  );
}

function startRatios(result, one, other) {
  const [ours, theirs] = [one, other].map((file) => peerOf(result, file)?.rounds ?? []);
  return ours.map(({ p50Us }, index) => p50Us / theirs[index].p50Us);
}

/** Each figure of which the run has the peers, with the median, and whether it is reached. */
export function figuresOf(cases) {
  const results = new Map(cases.map((each) => [each.id, each]));
  return FIGURES.flatMap(({ id, says, least, most, ratios }) => {
    const values = ratios(results).filter((value) => Number.isFinite(value));
    if (values.length === 0) return [];
    const value = median(values);
    const isReached = value >= (least ?? -Infinity) && value <= (most ?? Infinity);
    return [{ id, says, least, most, value, from: Math.min(...values), to: Math.max(...values), isReached }];
  });
}
