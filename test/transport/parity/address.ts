import { ClientProxyFactory, ServerTCP, type TcpClientOptions, Transport } from '@nestjs/microservices';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { udsClient, type UdsClientProvider, UdsServer } from '../../../src/index.js';
import { afterThisTest } from '../../support/cleanup.js';
import { socketPath } from '../../support/nest.js';
import type { Client, Kit, Strategy } from './kit.js';

/** A place where servers may listen one after the other. */
export interface Address {
  readonly server: () => Strategy;
  /** What `ClientsModule`, `ClientProxyFactory` and `@Client` take for a client that reaches it. */
  readonly config: TcpClientOptions | UdsClientProvider;
}

/** What a test leaves running is cut after this. */
const CLOSE_TIMEOUT_MS = 500;

/** A place where nobody listens yet. @param connectTimeoutMs how long one of our clients tries to reach it. */
export async function freeAddress({ name }: Kit, connectTimeoutMs = 50): Promise<Address> {
  if (name === 'uds') {
    const options = { path: socketPath(), closeTimeoutMs: CLOSE_TIMEOUT_MS };
    return {
      server: () => new UdsServer(options),
      config: udsClient({ ...options, connectTimeoutMs }),
    };
  }
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { address, port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  const options = { host: address, port };
  return {
    server: () => new ServerTCP(options),
    config: { transport: Transport.TCP, options },
  };
}

/** A client of an address; closed after the run. */
export function clientAt({ config }: Address): Client {
  const client: Client = ClientProxyFactory.create(config);
  afterThisTest(() => client.close() as unknown);
  return client;
}
