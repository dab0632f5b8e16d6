import { type DynamicModule, Module } from '@nestjs/common';
import { EchoModule } from '../echo/echo.module.js';

/** What runs in the sidecar. */
@Module({ imports: [EchoModule] })
export class SidecarModule {
  /** @param config the module that `loadSidecarConfig` gave; whatever runs here may inject ConfigService. */
  static with(config: DynamicModule): DynamicModule {
    return { module: SidecarModule, imports: [config] };
  }
}
