// The certificates of a pod's projected podCertificate sources: asks for each by a PodCertificateRequest, waits for its
// signer, and asks again when the certificate says that it is time. As the kubelet of 1.37 has it, keys live in this
// process and the pod's volume only: a successor asks again.
import { certificatesOf } from '#base/pem.ts';
import type { Env } from '#env/env.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { NodeApi } from './node-api.ts';
import { podIdentity } from './pod-spec.ts';
import type { Pod, ProjectedSource } from './pod-spec.ts';

export type PodCertificateSource = NonNullable<ProjectedSource['podCertificate']>;

/** PEM. */
export interface CredentialBundle {
  readonly key: string;
  readonly chain: string;
}

/** By `certificateKey()`; a text is why there is none. */
export type Certificates = ReadonlyMap<string, CredentialBundle | string>;

interface Issued extends CredentialBundle {
  readonly refreshAt: number;
  readonly overdueAt: number;
  readonly notAfter: number;
  isToldOverdue: boolean;
  isToldExpired: boolean;
}

interface Credential {
  issued: Issued | undefined;
  pending: Promise<void> | undefined;
  fault: string | undefined;
  /** Its signer has refused: it is not asked again. */
  isRefused: boolean;
}

/** Those of many pods that started together are not renewed together. */
const jitterMs = 300_000;
const overdueMs = 600_000;
/** A pod's volumes wait so long for a signer; then they are tried again as all volumes are. */
const waitMs = 10_000;
const notYet = 'credential bundle is not issued yet';

export function certificateKey(volume: string, index: number): string {
  return `${volume}/${index}`;
}

function sourcesOf(pod: Pod): ReadonlyMap<string, PodCertificateSource> {
  const found = new Map<string, PodCertificateSource>();
  for (const { name, projected } of pod.spec.volumes ?? []) {
    for (const [index, { podCertificate }] of (projected?.sources ?? []).entries()) {
      if (podCertificate !== undefined) found.set(certificateKey(name, index), podCertificate);
    }
  }
  return found;
}

export class PodCertificates {
  readonly #api: NodeApi;
  readonly #env: Pick<Env, 'clock' | 'timers' | 'random'>;
  readonly #credentials = new Map<string, Credential>();
  readonly #life = new AbortController();

  constructor(api: NodeApi, env: Pick<Env, 'clock' | 'timers' | 'random'>) {
    this.#api = api;
    this.#env = env;
  }

  /** Nothing is asked for or waited for any more. */
  close(): void {
    this.#life.abort();
  }

  /** What there is; asks for what there is not, or not for long any more, and waits a while for the first ones. */
  async ofPod(pod: Pod): Promise<Certificates> {
    const sources = sourcesOf(pod);
    const first: Promise<void>[] = [];
    for (const [key, source] of sources) {
      const credential = this.#credential(key);
      this.#ask(pod, source, credential);
      this.#tellLate(pod, credential);
      if (credential.issued === undefined && credential.pending !== undefined) {
        first.push(credential.pending);
      }
    }
    if (first.length > 0) await this.#atMost(Promise.all(first));
    return new Map([...sources.keys()].map((key) => [key, this.#shown(this.#credential(key))]));
  }

  #credential(key: string): Credential {
    const known = this.#credentials.get(key);
    if (known !== undefined) return known;
    const made = { issued: undefined, pending: undefined, fault: undefined, isRefused: false };
    this.#credentials.set(key, made);
    return made;
  }

  #shown({ issued, fault, isRefused }: Credential): CredentialBundle | string {
    if (issued !== undefined && !isRefused) return issued;
    return fault ?? notYet;
  }

  async #atMost(work: Promise<unknown>): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = this.#env.timers.after(waitMs, () => late.resolve());
    try {
      await Promise.race([work, late.promise]);
    } finally {
      timer.cancel();
    }
  }

  #ask(pod: Pod, source: PodCertificateSource, credential: Credential): void {
    const { issued, pending, isRefused } = credential;
    const isDue = issued === undefined || issued.refreshAt <= this.#env.clock.now();
    if (!isDue || isRefused || pending !== undefined || this.#life.signal.aborted) return;
    credential.fault = undefined;
    credential.pending = this.#obtain(pod, source, credential)
      .catch((error: unknown) => {
        credential.fault = error instanceof Error ? error.message : String(error);
      })
      .finally(() => (credential.pending = undefined));
  }

  async #obtain(pod: Pod, source: PodCertificateSource, credential: Credential): Promise<void> {
    const { namespace, name, uid } = podIdentity(pod);
    const { serviceAccountName = 'default' } = pod.spec;
    const [account, node, { key, request }] = await Promise.all([
      this.#api.serviceAccount(namespace, serviceAccountName),
      this.#api.node(),
      this.#api.makeCertificateKey(source.keyType),
    ]);
    if (account === undefined) throw new Error(`serviceaccount "${serviceAccountName}" not found`);
    const { maxExpirationSeconds, userAnnotations } = source;
    const asked = await this.#api.requestCertificate({
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'PodCertificateRequest',
      metadata: {
        namespace,
        generateName: 'req-',
        ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name, uid }],
      },
      spec: {
        signerName: source.signerName,
        podName: name,
        podUID: uid,
        serviceAccountName,
        serviceAccountUID: account.metadata.uid,
        nodeName: node.metadata.name,
        nodeUID: node.metadata.uid,
        ...(maxExpirationSeconds === undefined ? {} : { maxExpirationSeconds }),
        ...(userAnnotations === undefined ? {} : { unverifiedUserAnnotations: userAnnotations }),
        stubPKCS10Request: Buffer.from(request).toString('base64'),
      },
    });
    const done = await this.#api.certificateDone(asked, this.#life.signal);
    const place = `${namespace}/${asked.metadata.name ?? ''}`;
    if (done === undefined) {
      throw new Error(`PodCertificateRequest "${place}" appears to have been deleted`);
    }
    this.#decided(pod, credential, key, done, place);
  }

  #decided(
    pod: Pod,
    credential: Credential,
    key: string,
    { status }: KubeObject,
    place: string,
  ): void {
    const { type, reason = '', message = '' } = decision(status as CertificateStatus) ?? {};
    if (type !== 'Issued') {
      const isDenied = type === 'Denied';
      const words = [`reason=${JSON.stringify(reason)}`, `message=${JSON.stringify(message)}`];
      const end = isDenied ? 'denied' : 'failed';
      credential.isRefused = true;
      credential.fault = `PodCertificateRequest was permanently ${end}: ${words.join(' ')}`;
      const text = `PodCertificateRequest ${place} ${isDenied ? 'was denied' : 'failed'}`;
      const told = { reason: type ?? 'Failed', message: `${text}, ${words.join(', ')}` };
      this.#api.recordEvent(pod, { type: 'Warning', ...told });
      return;
    }
    const {
      certificateChain = '',
      beginRefreshAt = '',
      notAfter = '',
    } = status as CertificateStatus;
    const begin = Date.parse(beginRefreshAt);
    credential.issued = {
      key,
      chain: certificatesOf(certificateChain).join(''),
      refreshAt: begin + this.#env.random.next() * jitterMs,
      overdueAt: begin + overdueMs,
      notAfter: Date.parse(notAfter),
      isToldOverdue: false,
      isToldExpired: false,
    };
  }

  #tellLate(pod: Pod, { issued }: Credential): void {
    if (issued === undefined) return;
    const now = this.#env.clock.now();
    if (now > issued.overdueAt && !issued.isToldOverdue) {
      issued.isToldOverdue = true;
      const message = 'PodCertificate refresh overdue';
      const reason = 'CertificateOverdueForRefresh';
      this.#api.recordEvent(pod, { type: 'Warning', reason, message });
    }
    if (now > issued.notAfter && !issued.isToldExpired) {
      issued.isToldExpired = true;
      const message = 'PodCertificate expired';
      this.#api.recordEvent(pod, { type: 'Warning', reason: 'CertificateExpired', message });
    }
  }
}

interface CertificateStatus {
  readonly conditions?: readonly {
    readonly type: string;
    readonly reason?: string;
    readonly message?: string;
  }[];
  readonly certificateChain?: string;
  readonly beginRefreshAt?: string;
  readonly notAfter?: string;
}

function decision(
  status: CertificateStatus | undefined,
): NonNullable<CertificateStatus['conditions']>[number] | undefined {
  return status?.conditions?.find(({ type }) => /^(Denied|Failed|Issued)$/.test(type));
}

/** Whether the signer has decided. */
export function isDecided(request: KubeObject): boolean {
  return decision(request['status'] as CertificateStatus | undefined) !== undefined;
}
