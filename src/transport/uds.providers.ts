import type { Type } from '@nestjs/common';
import { type ClientProxy, Transport } from '@nestjs/microservices';
import { UdsClient } from './uds.client.js';
import type { UdsClientOptions, UdsServerOptions } from './uds.options.js';
import { UdsServer } from './uds.server.js';

/**
 * What Nest's client factories take. `transport` is read by nobody once `customClass` is there, but `@Client` and
 * terminus ask for it in their types.
 */
export interface UdsClientProvider {
  transport: Transport.TCP;
  customClass: Type<ClientProxy>;
  options: UdsClientOptions;
}

/**
 * A client's configuration for `ClientsModule.register`, `registerAsync`, `@Client`, `ClientProxyFactory.create` and
 * terminus' `pingCheck`.
 *
 * @example
 * ClientsModule.register([{ name: 'ORDERS', ...udsClient({ path: '/run/orders/orders.sock' }) }]);
 */
export function udsClient(options: UdsClientOptions): UdsClientProvider {
  return { transport: Transport.TCP, customClass: UdsClient, options };
}

/**
 * A server's configuration for `NestFactory.createMicroservice` and `app.connectMicroservice`.
 *
 * @throws UsageError INVALID_OPTION
 * @example
 * const app = await NestFactory.createMicroservice(AppModule, udsServer({ path: '/run/orders/orders.sock' }));
 */
export function udsServer(options: UdsServerOptions): { strategy: UdsServer } {
  return { strategy: new UdsServer(options) };
}
