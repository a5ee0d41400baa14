// Connections to webhooks, kept for the next call: one pool for each trust and identity, so that what one webhook is
// trusted by, and called as, is never used for another.
import { Agent, type AgentOptions } from 'node:http';
import { Agent as SecureAgent, type AgentOptions as SecureOptions } from 'node:https';
import { checkServerIdentity, createSecureContext, rootCertificates } from 'node:tls';
import type { KeyPair } from '#kube/pki/authority.ts';

/** As client-go keeps clients of webhooks and connections of each. */
const POOLS_MAX = 200;
const IDLE_MAX = 25;
const IDLE_MS = 90_000;

export interface Identity {
  /** The name that the certificate must be for. */
  readonly serverName: string;
  /** Without TLS. */
  readonly isPlain: boolean;
  /** Base64 of PEM; what this machine trusts when there is none. */
  readonly caBundle: string | undefined;
  readonly pair: KeyPair | undefined;
  readonly isInsecure: boolean;
  /** As whom it is called otherwise. */
  readonly authorization: string | undefined;
}

export class WebhookConnections {
  /** The one that was asked for last is the last. */
  readonly #pools = new Map<string, Agent>();
  readonly #poolsMax: number;

  constructor(poolsMax = POOLS_MAX) {
    this.#poolsMax = poolsMax;
  }

  /** Throws for a bundle or a pair that is none. */
  poolFor(identity: Identity): Agent {
    const { serverName, isPlain, caBundle, pair, isInsecure, authorization } = identity;
    const key = JSON.stringify([serverName, isPlain, caBundle, pair, isInsecure, authorization]);
    const pool = this.#pools.get(key) ?? agentFor(identity, kept);
    this.#pools.delete(key);
    this.#pools.set(key, pool);
    const [[oldest, unused] = []] = this.#pools;
    if (this.#pools.size > this.#poolsMax && oldest !== undefined && unused !== undefined) {
      this.#pools.delete(oldest);
      retire(unused);
    }
    return pool;
  }

  /** For a connection that is not kept. */
  single(identity: Identity): Agent {
    return agentFor(identity, {});
  }

  /** Calls that are under way come to their end. */
  close(): void {
    for (const pool of this.#pools.values()) retire(pool);
    this.#pools.clear();
  }
}

const kept: AgentOptions = {
  keepAlive: true,
  scheduling: 'lifo',
  maxFreeSockets: IDLE_MAX,
  timeout: IDLE_MS,
};

function agentFor(identity: Identity, options: AgentOptions): Agent {
  return identity.isPlain
    ? new Agent(options)
    : new SecureAgent({ ...options, ...secured(identity) });
}

function secured({ serverName, caBundle = '', pair, isInsecure }: Identity): SecureOptions {
  const ca =
    caBundle.trim() === '' ? [...rootCertificates] : Buffer.from(caBundle, 'base64').toString();
  const own = pair === undefined ? {} : { cert: pair.cert, key: pair.key };
  return {
    maxCachedSessions: 0,
    // A bundle may hold the certificate itself, or one that is signed by another, as Go takes it.
    secureContext: createSecureContext({ ca, ...own, allowPartialTrustChain: true }),
    ...(/^[\d.]+$|:/.test(serverName) ? {} : { servername: serverName }),
    rejectUnauthorized: !isInsecure,
    checkServerIdentity: (_host, cert) => checkServerIdentity(serverName, cert),
  };
}

/** Nothing is kept in it any more. */
function retire(pool: Agent): void {
  pool.maxFreeSockets = 0;
  for (const idle of Object.values(pool.freeSockets)) for (const one of idle ?? []) one.destroy();
}
