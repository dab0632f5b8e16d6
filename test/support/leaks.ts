import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TestEnvironment as NodeEnvironment } from 'jest-environment-node';

// these two become handles when somebody first asks for them: now, and not in a test
const output = new Set<object>([process.stdout, process.stderr]);

/**
 * Jest's environment for each test file: fails the file that leaves a socket, server, child process, timer or
 * a file in a temp folder behind. An environment, since hooks of setupFilesAfterEnv run before the file's own
 * afterAll. Unref'd handles don't count: Node lists only what keeps a process open.
 */
export default class LeakCheck extends NodeEnvironment {
  private before = resources();
  private readonly handlesBefore = new Set(handles());
  private readonly folders: TempFolder[] = [];
  private readonly problems: string[] = [];
  private foldersBeforeTest = 0;

  override async setup(): Promise<void> {
    await super.setup();
    // with --runInBand Jest's own timers are here too: the short ones must not make room for one of the file's
    for (let turn = 0; this.before.has('Timeout') && turn < 30; turn++) {
      await delay(10);
      const now = resources();
      if ((now.get('Timeout') ?? 0) < (this.before.get('Timeout') ?? 0)) this.before = now;
    }
    Object.assign(this.global, { [Symbol.for('nest-uds.temp-folders')]: this.folders });
  }

  /** Jest awaits this for each step of its test runner. */
  async handleTestEvent(event: { name: string }, state: { unhandledErrors: unknown[] }): Promise<void> {
    if (event.name === 'test_start') this.foldersBeforeTest = this.folders.length;
    if (event.name === 'test_done') this.checkFolders(this.foldersBeforeTest);
    if (event.name !== 'run_finish') return;

    this.checkFolders(0);
    await this.checkResources();
    if (this.problems.length === 0) return;
    const error = new Error(`Left behind by this file:\n${this.problems.join('\n')}`);
    error.stack = ''; // it would show this file
    state.unhandledErrors.push(error);
  }

  private checkFolders(first: number): void {
    for (const { path, mayLeave } of this.folders.splice(first)) {
      for (const name of entries(path)) {
        if (!mayLeave?.test(name)) this.problems.push(`  file ${join(path, name)}`);
      }
      rmSync(path, { recursive: true, force: true });
    }
  }

  private async checkResources(): Promise<void> {
    let left = this.newResources();
    // half a second: what has been closed needs some turns to go, and Jest holds console output for 100 ms
    for (let turn = 0; left.length > 0 && turn < 50; turn++) {
      await delay(10);
      left = this.newResources();
    }
    if (left.length === 0) return;

    const leftHandles = handles().filter((handle) => !this.handlesBefore.has(handle));
    this.problems.push(...left, ...leftHandles.map((handle) => `  ${describe(handle)}`));
    this.problems.push('To see where it was made: npm run jest -- --detectOpenHandles <this file>');
    leftHandles.forEach(end);
  }

  private newResources(): string[] {
    return [...resources()].flatMap(([kind, count]) => {
      const more = count - (this.before.get(kind) ?? 0);
      return more > 0 ? [`  ${more} ${kind}`] : [];
    });
  }
}

interface TempFolder {
  path: string;
  mayLeave: RegExp | undefined;
}

/** Node's names of sockets, servers, children, timers…, each with its count. */
function resources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

/** The same without the timers, as objects; not a public function of Node, so it serves for the message alone. */
function handles(): object[] {
  const { _getActiveHandles } = process as unknown as { _getActiveHandles?: () => object[] };
  return _getActiveHandles?.call(process).filter((handle) => !output.has(handle)) ?? [];
}

function describe(handle: object): string {
  const facts = handle as { address?: () => unknown; pid?: number; spawnargs?: string[] };
  const name = handle.constructor.name;
  if (facts.spawnargs) return `${name} ${facts.pid}: ${facts.spawnargs.join(' ')}`;
  return name === 'Server' ? `Server on ${JSON.stringify(facts.address?.())}` : name;
}

/** So that it harms no other file and outlives no run. */
function end(handle: object): void {
  const ways = handle as { kill?: (signal: string) => void; destroy?: () => void; close?: () => void };
  if (ways.kill) ways.kill('SIGKILL');
  else if (ways.destroy) ways.destroy();
  else ways.close?.();
}

function entries(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return []; // the test took the folder away itself
  }
}
