// zeromq.js over ipc: a Dealer asks a Router, an id in a frame of its own, JSON or bytes behind it.
import { Buffer } from 'node:buffer';
import { Dealer, Router } from 'zeromq';

export const name = 'zeromq.js, ipc';

/** More than ever wait here: ZeroMQ drops or blocks at its mark. */
const HIGH_WATER_MARK = 100_000;
const MARKS = { sendHighWaterMark: HIGH_WATER_MARK, receiveHighWaterMark: HIGH_WATER_MARK };

export async function serve(address) {
  const router = new Router(MARKS);
  await router.bind(`ipc://${address}`);
  void answer(router);
}

async function answer(router) {
  const send = inOrder(router);
  for await (const [peer, id, kind, body] of router) {
    // Read and written again, as every other peer does.
    const answered = String(kind) === 'b' ? body : JSON.stringify(JSON.parse(String(body)));
    send([peer, id, kind, answered]);
  }
}

/** One `send` at a time is all that a socket of zeromq.js takes. */
function inOrder(socket) {
  const waiting = [];
  let isSending = false;
  const sendAll = async () => {
    isSending = true;
    while (waiting.length > 0) for (const frames of waiting.splice(0)) await socket.send(frames);
    isSending = false;
  };
  return (frames) => {
    waiting.push(frames);
    if (!isSending) void sendAll();
  };
}

export async function connect(address) {
  const dealer = new Dealer(MARKS);
  dealer.connect(`ipc://${address}`);
  const client = { dealer, send: inOrder(dealer), waiting: new Map(), lastId: 0 };
  void receive(client);
  return client;
}

async function receive({ dealer, waiting }) {
  for await (const [id, kind, body] of dealer) {
    const resolve = waiting.get(String(id));
    waiting.delete(String(id));
    resolve?.(String(kind) === 'b' ? body : JSON.parse(String(body)));
  }
}

export const call = (client, { value }) =>
  new Promise((resolve) => {
    client.lastId += 1;
    const id = String(client.lastId);
    client.waiting.set(id, resolve);
    client.send(
      value instanceof Uint8Array ? [id, 'b', Buffer.from(value)] : [id, 'j', JSON.stringify(value)],
    );
  });

export const stop = ({ dealer }) => dealer.close();
