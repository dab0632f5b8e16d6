import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Far above what anything here takes: a machine that is busy with other things must not fail a test. */
const LIMIT_MS = 10_000;

/** Looks until `holds`, and fails with `what` after a limit. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  const endsAtMs = performance.now() + LIMIT_MS;
  while (!holds()) {
    if (performance.now() > endsAtMs) throw new Error(`Waited ${LIMIT_MS} ms in vain until ${what}`);
    await delay(2);
  }
}

/** Looks at a socket that are enough to tell standing still from waiting for a turn. */
const LOOKS = 5;

/** Waits until a server reads a connection no further, though there may be more. */
export async function heldBack(socket: Socket): Promise<void> {
  let before = '';
  let looks = 0;
  const stands = (): boolean => {
    const now = `${socket.isPaused()} ${socket.bytesRead} ${socket.readableLength}`;
    looks = socket.isPaused() && now === before ? looks + 1 : 0;
    before = now;
    return looks >= LOOKS;
  };
  await until(stands, 'it is read no further');
}

/** A promise that a test or a handler resolves from outside; waiting for it has the same limit. */
export class Gate<T = void> {
  readonly opened: Promise<T>;
  isOpen = false;
  open!: (value: T) => void;

  constructor() {
    this.opened = new Promise((resolve) => {
      this.open = (value) => {
        this.isOpen = true;
        resolve(value);
      };
    });
  }

  async within(what: string): Promise<T> {
    await until(() => this.isOpen, what);
    return await this.opened;
  }
}

/** Lets everything go on that was ready to: some turns of the event loop. */
export async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await delay(1);
}
