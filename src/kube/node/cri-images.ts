// Sees to it that the runtime has a container's image, by its pull policy, and with the credentials of
// the pod's pull secrets.
import { Fault } from '#base/fault.ts';
import type { Clock } from '#env/env.ts';
import type { CriClient, CriMessage } from '#kube/cri/cri-client.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { fullImageName } from './cri-config.ts';
import type { StartRequest } from './runtime.ts';

interface Credentials {
  readonly username?: string;
  readonly password?: string;
  readonly auth?: string;
  readonly identitytoken?: string;
}

/** The host that an entry of a docker configuration is about: `https://index.docker.io/v1/` too. */
function registryOf(entry: string): string {
  const host = entry.replace(/^https?:\/\//, '').split('/')[0] ?? '';
  return host === 'index.docker.io' ? 'docker.io' : host;
}

function entriesOf(secret: KubeObject): Readonly<Record<string, Credentials>> {
  const data = (secret['data'] ?? {}) as Readonly<Record<string, string>>;
  const read = (key: string): unknown => {
    try {
      return JSON.parse(Buffer.from(data[key] ?? '', 'base64').toString('utf8'));
    } catch {
      return undefined;
    }
  };
  const current = read('.dockerconfigjson') as { auths?: Record<string, Credentials> } | undefined;
  return current?.auths ?? (read('.dockercfg') as Record<string, Credentials> | undefined) ?? {};
}

/** The first credentials for the image's registry. `image` is a full name. */
export function authFor(image: string, secrets: readonly KubeObject[]): CriMessage | undefined {
  const host = image.split('/')[0] ?? '';
  for (const secret of secrets) {
    for (const [entry, found] of Object.entries(entriesOf(secret))) {
      if (registryOf(entry) !== host) continue;
      const { username = '', password = '', auth = '', identitytoken = '' } = found;
      return { username, password, auth, server_address: entry, identity_token: identitytoken };
    }
  }
  return undefined;
}

async function imageId(client: CriClient, image: string): Promise<string | undefined> {
  const status = await client.callImages('ImageStatus', { image: { image } });
  const found = status['image'] as { readonly id?: string } | null | undefined;
  return found?.id === undefined || found.id === '' ? undefined : found.id;
}

/** The image by the name that the runtime gives it. Faults have code `container-image`. */
export async function ensureImage(
  request: StartRequest,
  client: CriClient,
  clock: Clock,
): Promise<string> {
  const { container, pullSecrets = [] } = request;
  const image = fullImageName(container.image ?? '');
  const shown = JSON.stringify(container.image ?? '');
  const policy = container.imagePullPolicy ?? 'IfNotPresent';
  const known = await imageId(client, image);
  if (known !== undefined && policy !== 'Always') {
    const message = `Container image ${shown} already present on machine`;
    request.progress({ kind: 'image', step: 'present', message });
    return known;
  }
  if (policy === 'Never') {
    const text = `Container image ${shown} is not present with pull policy of Never`;
    throw new Fault({ code: 'container-image', reason: 'ErrImageNeverPull' }, text);
  }
  request.progress({ kind: 'image', step: 'pulling', message: `Pulling image ${shown}` });
  const began = clock.now();
  const auth = authFor(image, pullSecrets);
  try {
    const pull = { image: { image }, ...(auth === undefined ? {} : { auth }) };
    const pulled = await client.callImages('PullImage', pull);
    const ms = clock.now() - began;
    const done = `Successfully pulled image ${shown} in ${ms}ms`;
    request.progress({ kind: 'image', step: 'pulled', message: done });
    return String(pulled['image_ref']);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const text = `failed to pull image ${shown}: ${why}`;
    throw new Fault({ code: 'container-image', reason: 'ErrImagePull' }, text, { cause: error });
  }
}
