// Ours without Nest: the same frames, codec and sockets (src/protocol and src/net), and an echo on them.
import { Channel } from '../node_modules/nest-uds/dist/net/channel.js';
import { Listener } from '../node_modules/nest-uds/dist/net/listener.js';
import {
  resolveClientOptions,
  resolveServerOptions,
} from '../node_modules/nest-uds/dist/transport/uds.options.js';

export const name = 'ours without Nest (floor)';

const ignore = () => undefined;
/** A server grants no credit for answers; a client grants no calls. */
const SERVER = { role: 'server', pid: process.pid, streamCreditBytes: 65_536 };
const CLIENT = {
  role: 'client',
  pid: process.pid,
  maxInFlight: 128,
  maxEvents: 128,
  maxMetadataBytes: 0,
  partialFrameTimeoutMs: 0,
  slowReaderTimeoutMs: 0,
};

export async function serve(address) {
  const listener = new Listener(
    { ...resolveServerOptions({ path: address }), ...SERVER },
    {
      called: ({ session: { incoming } }, incomingCall) =>
        void incoming.respond(incomingCall, incomingCall.payload, false),
      troubled: (error) => console.error(error.message),
      takenOver: ignore,
    },
  );
  await listener.listen();
}

export async function connect(address) {
  const options = resolveClientOptions({ path: address });
  const settings = { ...options, ...CLIENT, helloTimeoutMs: options.connectTimeoutMs };
  const channel = new Channel(settings, { connected: ignore, disconnected: ignore });
  await channel.connect();
  return channel;
}

export const call = (channel, payload) =>
  new Promise((resolve, reject) => {
    const deadlineMs = performance.now() + 30_000;
    const request = {
      pattern: 'echo',
      payload: payload.value,
      metadata: undefined,
      isEnveloped: false,
      deadlineMs,
    };
    channel.request(request, { next: ignore, end: resolve, fail: reject });
  });

export const stop = (channel) => channel.close();
