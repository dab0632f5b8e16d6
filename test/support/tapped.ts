import type { Type } from '@nestjs/common';
import type { UdsClient, UdsClientOptions } from '../../src/index.js';
import { clientOf, serve, type Served } from './nest.js';
import { WireTap } from './wire-tap.js';

export interface Tapped extends Served {
  readonly tap: WireTap;
  readonly client: UdsClient;
}

/** A real server and a real client that is connected to it through a tap. */
export async function serveTapped(
  controllers: Type[],
  options: Partial<UdsClientOptions> = {},
): Promise<Tapped> {
  const served = await serve(controllers);
  const tap = await WireTap.before(served.path);
  const client = clientOf(tap.path, options);
  await client.connect();
  return { ...served, tap, client };
}
