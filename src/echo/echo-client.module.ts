import { Module } from '@nestjs/common';
import {
  type ASYNC_OPTIONS_TYPE,
  ConfigurableModuleClass,
  type OPTIONS_TYPE,
} from './echo-client.module-definition.js';
import { EchoClient } from './echo.client.js';

/** The options of a UdsClient (`path` alone is required), and `isGlobal`. */
export type EchoClientModuleOptions = typeof OPTIONS_TYPE;

/** The same through `useFactory`, `useClass` or `useExisting`; `isGlobal` stands beside them. */
export type EchoClientModuleAsyncOptions = typeof ASYNC_OPTIONS_TYPE;

/**
 * Gives an application an EchoClient to inject. It connects with its first call, and closes when the application has
 * shut its own servers down.
 *
 * A wrong option fails the boot with a UsageError, INVALID_OPTION.
 *
 * @example
 * @Module({ imports: [EchoClientModule.forRoot({ path: '/run/echo/echo.sock' })] })
 * class AppModule {}
 *
 * @example
 * EchoClientModule.forRootAsync({
 *   isGlobal: true,
 *   inject: [ConfigService],
 *   useFactory: (config: ConfigService) => ({ path: config.getOrThrow<string>('ECHO_PATH') }),
 * });
 */
@Module({ providers: [EchoClient], exports: [EchoClient] })
export class EchoClientModule extends ConfigurableModuleClass {}
