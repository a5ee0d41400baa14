// What the node needs of the API server, as a port: adapters are kube-node-api.ts (the real one)
// and a table in tests.
import type { KubeObject } from '#kube/meta/object.ts';
import type { Pod } from './pod-spec.ts';
import type { PodStatus } from './pod-state.ts';

export interface PodEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  /** `spec.containers{web}` */
  readonly fieldPath?: string | undefined;
}

export interface TokenRequest {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
  readonly pod: { readonly name: string; readonly uid: string };
}

export interface NodeApi {
  configMap(namespace: string, name: string): Promise<KubeObject | undefined>;
  secret(namespace: string, name: string): Promise<KubeObject | undefined>;
  /** All ClusterTrustBundles. */
  trustBundles(): Promise<readonly KubeObject[]>;
  /** Of all namespaces, as last seen. */
  services(): Promise<readonly KubeObject[]>;
  serviceAccount(namespace: string, name: string): Promise<KubeObject | undefined>;
  /** The Node object of this node. */
  node(): Promise<KubeObject>;
  /** A key of a PodCertificateProjection's type (PEM), and a request that proves it (DER). */
  makeCertificateKey(keyType: string): Promise<{ key: string; request: Uint8Array }>;
  /** Makes a PodCertificateRequest; rejects with the server's words. */
  requestCertificate(request: KubeObject): Promise<KubeObject>;
  /** The request once its signer has decided; undefined: it is there no more, or `signal` was aborted. */
  certificateDone(request: KubeObject, signal: AbortSignal): Promise<KubeObject | undefined>;
  token(request: TokenRequest): Promise<{ readonly token: string; readonly expiresAt: number }>;
  /** False when there is no such pod (any more). */
  writeStatus(pod: Pod, status: PodStatus): Promise<boolean>;
  /** Deletes it at once, if it is still the same one. */
  deletePod(pod: Pod): Promise<void>;
  recordEvent(pod: Pod, event: PodEvent): void;
}
