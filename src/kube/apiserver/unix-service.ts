// Clients of gRPC services that listen at a unix socket of this machine: plugins that keep keys.
import { credentials, loadPackageDefinition } from '@grpc/grpc-js';
import type { Client, ServiceClientConstructor } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';

export interface UnixService {
  readonly schema: object;
  readonly package: string;
  readonly service: string;
  /** As upstream has it, one that begins with @ is no file, but a name that only the kernel knows. */
  readonly path: string;
}

/** Not connected before the first call. The type is the caller's word on what methods the service has. */
export function unixClient<Service extends Client>(wanted: UnixService): Service {
  const { schema, package: within, service, path } = wanted;
  const options = { keepCase: false, defaults: true, longs: Number };
  const loaded = loadPackageDefinition(fromJSON(schema as never, options)) as unknown as Readonly<
    Record<string, Readonly<Record<string, ServiceClientConstructor>>>
  >;
  const Constructor = loaded[within]?.[service];
  if (Constructor === undefined) throw new Error(`No service ${within}.${service} in its schema`);
  const target = path.startsWith('@') ? `unix:\0${path.slice(1)}` : `unix:${path}`;
  return new Constructor(target, credentials.createInsecure(), {
    'grpc.default_authority': 'localhost',
  }) as unknown as Service;
}
