// Webhooks of admission at the service of this very server (an aggregated API that reviews, say): they are called
// here, whatever the endpoints of the service are, and as the server itself. As kube-apiserver v1.37 does with its
// loopback client.
import { randomBytes } from 'node:crypto';
import type { ClientConfig, WebhookCall } from '#kube/apiserver/webhook-client.ts';
import type { Address } from '#kube/apiserver/service-endpoints.ts';
import { authenticated } from '#kube/apiserver/user.ts';
import type { StaticToken } from '#kube/apiserver/authn/static-tokens.ts';

const HTTPS_PORT = 443;
const OWN_HOST = 'kubernetes.default.svc';

/** By its service, or by its name. */
export function isOwnServer({ url, service }: ClientConfig): boolean {
  if (service !== undefined) {
    const { namespace, name, port = HTTPS_PORT } = service;
    return namespace === 'default' && name === 'kubernetes' && port === HTTPS_PORT;
  }
  const found = URL.parse(url ?? '');
  return found?.protocol === 'https:' && found.port === '' && found.hostname === OWN_HOST;
}

export type OwnCall = Pick<WebhookCall, 'config' | 'headers' | 'at'>;

export class OwnServer {
  /** Known to this process only. */
  readonly #token = randomBytes(32).toString('base64url');
  readonly #caCert: string;
  #address: Address | undefined;

  /** PEM of the authority of the server's certificate. */
  constructor(caCert: string) {
    this.#caCert = caCert;
  }

  /** By which the server knows itself. */
  get token(): StaticToken {
    const user = authenticated('system:apiserver', ['system:masters']);
    return { token: this.#token, user };
  }

  listens(address: Address): void {
    this.#address = address;
  }

  /** Undefined for who is somebody else, or while nobody listens. */
  callOf(config: ClientConfig): OwnCall | undefined {
    if (this.#address === undefined || !isOwnServer(config)) return undefined;
    const given = Buffer.from(config.caBundle ?? '', 'base64').toString();
    const caBundle = Buffer.from(`${this.#caCert}\n${given}`).toString('base64');
    const headers = { Authorization: `Bearer ${this.#token}` };
    return { config: { ...config, caBundle }, headers, at: this.#address };
  }
}
