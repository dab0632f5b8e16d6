export {
  EchoClientModule,
  type EchoClientModuleAsyncOptions,
  type EchoClientModuleOptions,
} from './echo-client.module.js';
export { EchoClient, type EchoOptions } from './echo.client.js';
export { type EchoHealth, INVALID_STREAM_ITEMS, MAX_STREAM_COUNT } from './echo.contract.js';
export { EchoModule } from './echo.module.js';
