// HTTP over a Unix socket: Fastify answers, undici asks. HTTP/1.1 carries one request a connection at a time, so its pool may
// have as many connections as calls are in flight, up to 64: that is to its advantage.
import { Buffer } from 'node:buffer';
import fastify from 'fastify';
import { Pool } from 'undici';

export const name = 'Fastify + undici';

const BYTES = 'application/octet-stream';
const JSON_TYPE = 'application/json';
const MAX_BODY_BYTES = 16 * 1024 ** 2;
const MAX_CONNECTIONS = 64;

export async function serve(address) {
  const app = fastify({ bodyLimit: MAX_BODY_BYTES });
  app.addContentTypeParser(BYTES, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.post('/echo', async ({ body }, reply) =>
    Buffer.isBuffer(body) ? reply.type(BYTES).send(body) : reply.type(JSON_TYPE).send(JSON.stringify(body)),
  );
  await app.listen({ path: address });
}

export async function connect(address) {
  return new Pool('http://localhost', { socketPath: address, connections: MAX_CONNECTIONS });
}

export async function call(pool, { value }) {
  const isBytes = value instanceof Uint8Array;
  const { body } = await pool.request({
    path: '/echo',
    method: 'POST',
    headers: { 'content-type': isBytes ? BYTES : JSON_TYPE },
    body: isBytes ? value : JSON.stringify(value),
  });
  return isBytes ? Buffer.from(await body.arrayBuffer()) : await body.json();
}

export const stop = (pool) => pool.destroy();
