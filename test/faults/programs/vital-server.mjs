// Serves handlers.mjs and vital-handlers.mjs in every dialect, and does what it is told, a line each: says what it holds and
// what it has logged (`vitals`), closes and listens again (`restart`), cuts its connections (`drop`), ends (`end`).
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { UdsServer } from 'nest-uds';
import { createInterface } from 'node:readline';
import { Book } from './book.mjs';
import { controllerOf } from './handlers.mjs';
import { settings } from './settings.mjs';
import { vitalControllerOf } from './vital-handlers.mjs';
import { vitals } from './vitals.mjs';

const { path, rawPath, journal, options } = settings;
const told = { events: 0, stats: undefined };
const sockets = new Set();
let mostSockets = 0;

/** The lines are many: by code, how many there were. What has no code is kept as it is. */
const log = { codes: {}, others: [] };

function codeOf(line) {
  if (line.startsWith('There is no matching event handler')) return 'NO_EVENT_HANDLER';
  return /^([A-Z][A-Z_]+): /.exec(line)?.[1];
}

function keep(message) {
  const line = String(message?.message ?? message);
  const code = codeOf(line);
  if (code === undefined) log.others.push(line);
  else log.codes[code] = (log.codes[code] ?? 0) + 1;
}

const ignore = () => undefined;
const logger = { log: ignore, debug: ignore, verbose: ignore, warn: keep, error: keep, fatal: keep };

class Root {}
Module({ controllers: [controllerOf(new Book(journal)), vitalControllerOf(told)] })(Root);

const strategy = new UdsServer({
  endpoints: [{ path }, { path: rawPath, dialects: ['raw'], pattern: 'give' }],
  ...options,
});
const app = await NestFactory.createMicroservice(Root, { strategy, logger, abortOnError: false });

/** A close forgets who listened to the sockets. */
function keepSockets() {
  strategy.on('connection', (socket) => {
    sockets.add(socket);
    // One that is destroyed has no place any more, and says so a little later.
    mostSockets = Math.max(mostSockets, [...sockets].filter(({ destroyed }) => !destroyed).length);
    socket.once('close', () => sockets.delete(socket));
  });
}

function listen() {
  keepSockets();
  return new Promise((resolve, reject) => {
    strategy.listen((error) => (error === undefined ? resolve() : reject(error)));
  });
}

const ORDERS = {
  async restart() {
    await strategy.close();
    await listen();
    console.log('restarted');
  },
  drop() {
    for (const socket of [...sockets]) socket.destroy();
    console.log('dropped');
  },
  async vitals() {
    const { connections, callsInFlight } = told.stats?.() ?? {};
    const figures = { ...(await vitals()), connections, callsInFlight, sockets: sockets.size, mostSockets };
    console.log(JSON.stringify({ ...figures, ...log }));
  },
  async end() {
    await app.close();
    process.stdin.destroy();
  },
};

keepSockets();
await app.listen();
console.log('ready');
for await (const order of createInterface({ input: process.stdin })) {
  await ORDERS[order]();
  if (order === 'end') break;
}
