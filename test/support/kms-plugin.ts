// A KMS v2 plugin of the tests: keeps its keys in memory, behind a unix socket.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { loadPackageDefinition, Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { ServiceClientConstructor } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import { kmsSchema } from '#kube/apiserver/encryption/kms-schema.ts';

export interface KmsPlugin {
  /** How often it was asked for each. */
  readonly calls: { encrypt: number; decrypt: number };
  /** From now on another key seals; the older ones still open. */
  rotate(): void;
  /** Whether it fails from now on, whatever it is asked. */
  fail(isFailing: boolean): void;
  close(): void;
}

type Call = { request: { plaintext: Buffer; ciphertext: Buffer; keyId: string } };
type Reply = (error: Error | null, answer?: object) => void;

export async function startKmsPlugin(path: string): Promise<KmsPlugin> {
  const keys = new Map<string, Buffer>();
  let current = '';
  const rotate = (): void => {
    current = `key-${keys.size + 1}`;
    keys.set(current, randomBytes(32));
  };
  rotate();
  const calls = { encrypt: 0, decrypt: 0 };
  let isFailing = false;
  const disabled = Object.assign(new Error('key disabled'), {
    code: status.FAILED_PRECONDITION,
    details: 'failed precondition - key disabled',
  });
  const definition = loadPackageDefinition(fromJSON(kmsSchema as never, { defaults: true }));
  const { v2 } = definition as unknown as { v2: Record<string, ServiceClientConstructor> };
  const server = new Server();
  const { service } = v2['KeyManagementService'] as ServiceClientConstructor;
  server.addService(service, {
    Status: (_call: Call, reply: Reply) =>
      isFailing ? reply(disabled) : reply(null, { version: 'v2', healthz: 'ok', keyId: current }),
    Encrypt: ({ request }: Call, reply: Reply) => {
      calls.encrypt += 1;
      const iv = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', keys.get(current) as Buffer, iv);
      const sealed = [cipher.update(request.plaintext), cipher.final()];
      const ciphertext = Buffer.concat([iv, ...sealed, cipher.getAuthTag()]);
      reply(null, { ciphertext, keyId: current });
    },
    Decrypt: ({ request }: Call, reply: Reply) => {
      calls.decrypt += 1;
      const key = keys.get(request.keyId);
      if (key === undefined) return reply(new Error(`no key ${request.keyId}`));
      const { ciphertext } = request;
      const decipher = createDecipheriv('aes-256-gcm', key, ciphertext.subarray(0, 12));
      decipher.setAuthTag(ciphertext.subarray(-16));
      const opened = [decipher.update(ciphertext.subarray(12, -16)), decipher.final()];
      reply(null, { plaintext: Buffer.concat(opened) });
    },
  });
  await new Promise<void>((done, fail) =>
    server.bindAsync(
      path.startsWith('\0') ? `unix:${path}` : `unix://${path}`,
      ServerCredentials.createInsecure(),
      (error) => (error === null ? done() : fail(error)),
    ),
  );
  const fail = (toFail: boolean): void => void (isFailing = toFail);
  return { calls, rotate, fail, close: () => server.forceShutdown() };
}
