// Nest's gRPC transport over a Unix socket. A message of its own for each kind of payload, as its users would write it.
import { ClientProxyFactory, Transport } from '@nestjs/microservices';
import { firstValueFrom, map } from 'rxjs';
import { serveNest } from '../nest-app.mjs';

export const name = 'Nest gRPC, unix:';

const optionsOf = (address) => ({
  transport: Transport.GRPC,
  options: {
    package: 'bench',
    protoPath: new URL('grpc.proto', import.meta.url).pathname,
    url: `unix:${address}`,
    loader: { keepCase: true },
    maxReceiveMessageLength: -1,
    maxSendMessageLength: -1,
  },
});

export const serve = (address) => serveNest(optionsOf(address));

export async function connect(address) {
  const proxy = ClientProxyFactory.create(optionsOf(address));
  return { proxy, service: proxy.getService('Echo') };
}

export function call({ service }, { value }) {
  if (typeof value === 'string') return firstValueFrom(service.Text({ value }).pipe(map((got) => got.value)));
  if (value instanceof Uint8Array)
    return firstValueFrom(service.Bytes({ value }).pipe(map((got) => got.value)));
  if (!Array.isArray(value))
    return firstValueFrom(service.Fields({ items: [value] }).pipe(map((got) => only(got.items))));
  return firstValueFrom(service.Fields({ items: value }).pipe(map((got) => got.items)));
}

const only = ([item]) => item;

/** proto3 writes no default values and has no null, so what comes back is not the object to the letter. */
export const isEcho = (payload, got) =>
  typeof payload.value === 'string' || payload.value instanceof Uint8Array
    ? payload.isEcho(got)
    : [got].flat().every(({ name: who, visits }) => who === 'Ada Lovelace' && visits === 42);

export const stop = ({ proxy }) => proxy.close();
