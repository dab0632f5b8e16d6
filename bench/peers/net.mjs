// Bytes over a bare node:net socket: what Node itself can do. Writes of one tick share a system call.
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { connect as connectTo, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export const name = 'bare net (ceiling)';

export async function serve(address) {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => socket.write(chunk));
  });
  server.listen(address);
  await once(server, 'listening');
}

/** Tries again where the queue of the server is full: each of many that come at once must get in. */
async function connected(address) {
  for (;;) {
    const socket = connectTo(address);
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      await delay(5);
    }
  }
}

export async function connect(address) {
  const socket = await connected(address);
  const client = { socket, waiting: [], isCorked: false };
  let headBytes = 0;
  // Answers come in order, each as long as its request.
  socket.on('data', (chunk) => {
    headBytes += chunk.length;
    let done = 0;
    while (done < client.waiting.length && headBytes >= client.waiting[done].bytes) {
      const { bytes, resolve, answer } = client.waiting[done];
      headBytes -= bytes;
      done += 1;
      resolve(answer);
    }
    client.waiting.splice(0, done);
  });
  return client;
}

const bodies = new Map();

function bodyOf(payload) {
  if (!bodies.has(payload)) bodies.set(payload, Buffer.alloc(payload.bytes, 'x'));
  return bodies.get(payload);
}

export const call = (client, payload) =>
  new Promise((resolve) => {
    const { socket } = client;
    if (!client.isCorked) {
      client.isCorked = true;
      socket.cork();
      process.nextTick(() => {
        client.isCorked = false;
        socket.uncork();
      });
    }
    // Bytes are not looked at: what comes back is as long as what went out.
    client.waiting.push({ bytes: payload.bytes, resolve, answer: payload.value });
    socket.write(bodyOf(payload));
  });

export const stop = ({ socket }) => socket.destroy();
