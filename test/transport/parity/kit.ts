import {
  type ClientProxy,
  ClientTCP,
  type CustomTransportStrategy,
  type Deserializer,
  type Serializer,
  type Server,
  ServerTCP,
} from '@nestjs/microservices';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { UdsClient, type UdsClientOptions, UdsServer, type UdsServerSettings } from '../../../src/index.js';
import { afterThisTest } from '../../support/cleanup.js';
import { socketPath } from '../../support/nest.js';

/** What both transports' servers offer, whatever each calls its events and states. */
export type Strategy = CustomTransportStrategy &
  Pick<
    Server,
    | 'getHandlers'
    | 'setOnProcessingStartHook'
    | 'setOnProcessingEndHook'
    | 'setTransportId'
    | 'status'
    | 'transportId'
    | 'unwrap'
  >;

/** The same for their clients. */
export type Client = Pick<
  ClientProxy,
  'close' | 'connect' | 'emit' | 'send' | 'setOnDispatchHook' | 'status' | 'unwrap'
> & { on(event: string, callback: (...args: never[]) => void): void };

/** What either end of either transport takes. */
export interface EndOptions {
  readonly serializer?: Serializer;
  readonly deserializer?: Deserializer;
}

/** Options that our transport alone has: the kit of TCP passes them over, so that a row can reach a limit of ours. */
interface Limited<Options> {
  readonly limits?: Partial<Options>;
}

export type ServerOptions = EndOptions & Limited<UdsServerSettings>;
export type ClientOptions = EndOptions & Limited<UdsClientOptions>;

/** A transport, as an application gets it: the one line that is changed. */
export interface Kit {
  readonly name: 'tcp' | 'uds';
  server(options?: ServerOptions): Strategy;
  /** A client of a server that listens; closed after the run. */
  client(of: Strategy, options?: ClientOptions): Client;
  /** A client of an address where nobody listens; closed after the run. */
  strayClient(): Promise<Client>;
}

const HOST = '127.0.0.1';
/** What a test leaves running is cut after this. */
const CLOSE_TIMEOUT_MS = 500;

const withoutLimits = ({ limits: _ours, ...options }: ServerOptions | ClientOptions = {}): EndOptions =>
  options;

export const tcp: Kit = {
  name: 'tcp',
  server: (options) => new ServerTCP({ host: HOST, port: 0, ...withoutLimits(options) }),
  client(of, options) {
    const { port } = of.unwrap<{ address(): AddressInfo }>().address();
    return closedAfter(new ClientTCP({ host: HOST, port, ...withoutLimits(options) }));
  },
  async strayClient() {
    const server = createServer().listen(0, HOST);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    return closedAfter(new ClientTCP({ host: HOST, port }));
  },
};

const paths = new WeakMap<Strategy, string>();

export const uds: Kit = {
  name: 'uds',
  server({ limits, ...options } = {}) {
    const path = socketPath();
    const server = new UdsServer({ closeTimeoutMs: CLOSE_TIMEOUT_MS, ...options, ...limits, path });
    paths.set(server, path);
    return server;
  },
  client(of, { limits, ...options } = {}) {
    const path = paths.get(of);
    if (path === undefined) throw new Error('that server is not of this kit');
    return closedAfter(new UdsClient({ closeTimeoutMs: CLOSE_TIMEOUT_MS, ...options, ...limits, path }));
  },
  strayClient: async () => closedAfter(new UdsClient({ path: socketPath(), connectTimeoutMs: 50 })),
};

function closedAfter<Closed extends Client>(client: Closed): Closed {
  afterThisTest(() => client.close() as unknown);
  return client;
}
