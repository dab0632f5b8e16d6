import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { UdsClientOptions } from '../transport/uds.options.js';

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<UdsClientOptions>({ moduleName: 'EchoClient' })
    .setClassMethodName('forRoot')
    .setExtras({ isGlobal: false }, (definition, { isGlobal }) => ({ ...definition, global: isGlobal }))
    .build();
