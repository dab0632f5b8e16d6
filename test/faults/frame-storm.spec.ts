import { expect } from '@jest/globals';
import { underAttack } from './support/attacked.js';
import { fault } from './support/fault.js';
import { done, end, order } from './support/order.js';
import type { Scene } from './support/scene.js';

const KIB = 1024;
const MIB = KIB ** 2;
const FRAMES = 100_000;
const DIALECTS = ['binary', 'ndjson', 'nest-json'];

const OPTIONS = {
  maxInFlight: 512,
  maxEvents: 256,
  maxMetadataBytes: 256,
  maxFrameBytes: MIB,
  maxTotalBufferedBytes: 64 * MIB,
  maxStreamBufferBytes: KIB,
  maxLogLinesPerCode: 5,
  logWindowMs: 1000,
  // Who is not read for want of room is known to have left by a question that can't be written.
  heartbeatIntervalMs: 500,
};
/** Of what is counted one frame may be more than there is room for; two reads of the one connection lie beside it. */
const HELD_BYTES = OPTIONS.maxTotalBufferedBytes + 2 * OPTIONS.maxFrameBytes + 2 * 64 * KIB;

interface Storm {
  readonly kind: string;
  /** With which the connection ends; none where it lives. */
  readonly code?: string;
  readonly frames?: number;
  /** The error of calls, of so many at least. */
  readonly refuses?: { readonly code: string; readonly calls: number };
}

const IN_FLIGHT = OPTIONS.maxInFlight - 1;

/** 256 MiB, if all of them were taken. */
const HOARD = { requests: IN_FLIGHT, bytes: 512 * KIB };

/** Each on a connection of its own. */
const STORMS: readonly Storm[] = [
  { kind: 'CANCELs of what is over' },
  { kind: 'CANCELs of what runs', frames: 20_000 },
  // Refused one by one past a number that run on: no more than half of maxInFlight are in flight.
  { kind: 'CANCELs of what runs on', refuses: { code: 'TOO_MANY_REQUESTS', calls: 1 } },
  { kind: 'CREDITs of what is over' },
  { kind: 'CREDITs of nobody' },
  { kind: 'PINGs' },
  { kind: 'PONGs' },
  { kind: 'unknown types that may be skipped' },
  { kind: 'unknown types', code: 'UNKNOWN_TYPE' },
  { kind: 'HELLOs', code: 'BAD_HELLO' },
  { kind: 'reused ids', code: 'ID_IN_USE' },
  // Refused one by one: the connection lives.
  { kind: 'requests past the limit', frames: 20_000, refuses: { code: 'TOO_MANY_REQUESTS', calls: 1 } },
  { kind: 'events past the limit', code: 'TOO_MANY_EVENTS' },
  { kind: 'metadata past the limit', frames: 5000, refuses: { code: 'METADATA_TOO_LARGE', calls: 5000 } },
  { kind: 'generators that are not read', frames: IN_FLIGHT },
  {
    kind: 'Observables that are not read',
    frames: IN_FLIGHT,
    refuses: { code: 'STREAM_OVERFLOW', calls: IN_FLIGHT },
  },
];

fault(
  'a storm of CANCELs, CREDITs, PINGs, HELLOs, reused ids, unknown types',
  {
    promise: 'the documented code or ignored, no growth',
    limitMs: 180_000,
    codes: [
      'UNKNOWN_TYPE',
      'BAD_HELLO',
      'ID_IN_USE',
      'TOO_MANY_REQUESTS',
      'TOO_MANY_EVENTS',
      'METADATA_TOO_LARGE',
      'FRAME_TOO_LARGE',
      'STREAM_OVERFLOW',
    ],
  },
  async (scene) => {
    const startedMs = performance.now();
    const { codes } = await underAttack(scene, { options: OPTIONS, bytes: HELD_BYTES }, async () => {
      for (const storm of STORMS) await raise(scene, storm);
      for (const dialect of DIALECTS) await sendTooLong(scene, dialect);
      await hoard(scene);
    });
    const some: unknown = expect.any(Number);
    expect(codes).toEqual({
      UNKNOWN_TYPE: 1,
      BAD_HELLO: 1,
      ID_IN_USE: 1,
      TOO_MANY_EVENTS: 1,
      FRAME_TOO_LARGE: DIALECTS.length,
      TOO_MANY_REQUESTS: some,
      METADATA_TOO_LARGE: some,
      STREAM_OVERFLOW: some,
    });
    expectBoundedLog(codes, performance.now() - startedMs);
  },
);

async function raise(scene: Scene, storm: Storm): Promise<void> {
  const { kind, code, frames = FRAMES, refuses } = storm;
  const said = await done(scene.startClient('storm-client', { ...storm, frames }));
  const { lives, errors, values, unpaid } = JSON.parse(said) as {
    readonly lives: boolean;
    readonly errors: Readonly<Record<string, number>>;
    readonly values: number;
    readonly unpaid: number;
  };
  scene.row.add({ atRisk: frames });
  if (lives !== (code === undefined)) scene.row.complain(`${kind}: ${lives ? 'lives' : 'was ended'}`);
  const told = errors[refuses?.code ?? ''] ?? 0;
  if (refuses !== undefined && told < refuses.calls)
    scene.row.complain(`${kind}: ${told} were told ${refuses.code}, and not ${refuses.calls}`);
  if (unpaid > 0) scene.row.complain(`${kind}: ${unpaid} of ${values} values came without credit`);
  if (kind.startsWith('generators') && values === 0) scene.row.complain(`${kind}: no value came`);
}

/** Requests that do not end are taken until there is no room; others are answered on. */
async function hoard(scene: Scene): Promise<void> {
  scene.row.add({ atRisk: HOARD.requests });
  const client = scene.startClient('hoarding-client', HOARD);
  await client.says(/^under way$/m);
  const takenBytes = async (): Promise<number> => {
    const [, said] = await order(client, 'count', /^{"takenBytes":(\d+)}\n/gm);
    return Number(said);
  };
  let before = 0;
  let now = await takenBytes();
  for (; now > before || now === 0; now = await takenBytes()) {
    before = now;
    await scene.moreAnswers(100);
  }
  await end(client);
  if (now > HELD_BYTES) scene.row.complain(`${now} bytes of requests that run were taken`);
}

/** A call that is one byte longer than what is taken, in itself or by what is around it. */
async function sendTooLong(scene: Scene, dialect: string): Promise<void> {
  const call = { dialect, bytes: OPTIONS.maxFrameBytes + 1, firstBytes: 2 * OPTIONS.maxFrameBytes };
  const said = await done(scene.startClient('half-client', { ...call, stepBytes: 0, stepMs: 0 }));
  const { isAnswered } = JSON.parse(said) as { readonly isAnswered: boolean };
  scene.row.add({ atRisk: 1, lost: isAnswered ? 1 : 0 });
}

/** In each window the first lines of a code, and one that counts the others. */
function expectBoundedLog(codes: Readonly<Record<string, number>>, tookMs: number): void {
  const { maxLogLinesPerCode, logWindowMs } = OPTIONS;
  const windows = 1 + Math.floor(tookMs / logWindowMs);
  for (const [code, lines] of Object.entries(codes))
    expect({ code, isBounded: lines <= windows * (maxLogLinesPerCode + 1) }).toEqual({
      code,
      isBounded: true,
    });
}
