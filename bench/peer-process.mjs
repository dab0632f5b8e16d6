// One peer under way: its server and its client, each a process of its own.
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const HERE = import.meta.dirname;
const START_LIMIT_MS = 30_000;

/** A process that is told lines and answers with lines. */
class Program {
  #lines = [];
  #takers = [];
  #ended;

  constructor([file, ...args], cwd) {
    this.child = spawn(file, args, { cwd, stdio: ['pipe', 'pipe', 'pipe'] });
    this.said = '';
    this.child.stderr.on('data', (text) => (this.said = `${this.said}${text}`.slice(-2000)));
    this.child.stdin.on('error', () => undefined);
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      this.#lines.push(line);
      this.#give();
    });
    this.#ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.once('exit', () => {
      this.isOver = true;
      this.#give();
    });
  }

  tell(line) {
    this.child.stdin.write(`${line}\n`);
  }

  /** The next line. @throws Error where the process ends, or says nothing for so long. */
  next(limitMs) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => take(undefined, `no answer for ${limitMs / 1000} s: calls that never end`),
        limitMs,
      );
      const take = (line, reason) => {
        clearTimeout(timer);
        this.#takers = this.#takers.filter((taker) => taker !== take);
        if (line === undefined) reject(new Error(reason));
        else resolve(line);
      };
      this.#takers.push(take);
      this.#give();
    });
  }

  async end() {
    this.child.stdin.end();
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 1000);
    await this.#ended;
    clearTimeout(timer);
  }

  #give() {
    while (this.#takers.length > 0 && this.#lines.length > 0) this.#takers[0](this.#lines.shift());
    if (this.isOver)
      for (const take of this.#takers)
        take(undefined, `its process ended: ${this.said.trim().split('\n').at(-1)}`);
  }
}

const programsOf = (file, address, native) => {
  if (native !== undefined) return { server: [native, 'serve', address], client: [native, 'call', address] };
  const script = (name) => [process.execPath, join(HERE, name), join(HERE, 'peers', `${file}.mjs`), address];
  return { server: script('peer-server.mjs'), client: script('peer-client.mjs') };
};

/** What a process has computed so far, all its threads together; proc(5), schedstat. Undefined where the system does not say. */
function cpuUsOf({ pid }) {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`);
    const nanoseconds = tasks.map((task) =>
      Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]),
    );
    return nanoseconds.reduce((sum, each) => sum + each, 0) / 1000;
  } catch {
    return undefined;
  }
}

function residentBytesOf({ pid }) {
  try {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
  } catch {
    return undefined;
  }
}

const each = (after, before, calls) =>
  after === undefined || before === undefined ? null : (after - before) / calls;

export class PeerProcess {
  #server;
  #client;
  #native;
  /** Why it is out, once it is. */
  failed;

  /** @param native of the peer that is no program of Node's: what is run. */
  constructor(file, name, folder, native) {
    Object.assign(this, { file, name, folder });
    this.#native = native;
  }

  async start() {
    const { server, client } = programsOf(this.file, join(this.folder, this.file), this.#native);
    await this.#attempt(async () => {
      this.#server = new Program(server, this.folder);
      await this.#server.next(START_LIMIT_MS);
      this.#client = new Program(client, this.folder);
      await this.#client.next(START_LIMIT_MS);
    });
  }

  /** Gives what its client says, or undefined where it failed: it is out of the case then. */
  async order(words, limitMs) {
    return await this.#attempt(async () => {
      this.#client.tell(words.join(' '));
      const answer = JSON.parse(await this.#client.next(limitMs));
      if (answer.failed !== undefined) throw new Error(answer.failed);
      return answer;
    });
  }

  /** The same, with what it cost. */
  async measure(words, limitMs) {
    const before = this.#cpu();
    const answer = await this.order(words, limitMs);
    const after = this.#cpu();
    if (answer === undefined) return undefined;
    const { calls, seconds, p50Us = null, p99Us = null } = answer;
    return {
      callsPerSecond: calls / seconds,
      p50Us,
      p99Us,
      serverCpuUsPerCall: each(after.server, before.server, calls),
      clientCpuUsPerCall: each(after.client, before.client, calls),
      serverRssMiB: (residentBytesOf(this.#server.child) ?? NaN) / 1024 ** 2,
    };
  }

  /** Has both processes start to look at what they do; told a second time it gives what each of them saw. */
  async profile() {
    return await this.#attempt(async () => {
      this.#server.tell('profile');
      const server = JSON.parse(await this.#server.next(START_LIMIT_MS));
      this.#client.tell('profile');
      return { server, client: JSON.parse(await this.#client.next(START_LIMIT_MS)) };
    });
  }

  /** What its server holds once it has collected its garbage. */
  async collectedBytes() {
    return await this.#attempt(async () => {
      this.#server.tell('collect');
      await this.#server.next(START_LIMIT_MS);
      return residentBytesOf(this.#server.child);
    });
  }

  async stop() {
    // Its client first, or it would try to reach the server again.
    await this.#client?.end();
    await this.#server?.end();
    this.#client = undefined;
    this.#server = undefined;
  }

  #cpu() {
    return { server: cpuUsOf(this.#server?.child ?? {}), client: cpuUsOf(this.#client?.child ?? {}) };
  }

  async #attempt(body) {
    if (this.failed !== undefined) return undefined;
    try {
      return await body();
    } catch (error) {
      this.failed = error.message;
      await this.stop();
      return undefined;
    }
  }
}
