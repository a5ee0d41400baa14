// Who may approve, sign and attest, and for whom no client certificate is made.
import { same } from '#base/same.ts';
import { subjectOfRequest } from '#kube/pki/signing.ts';
import type { AccessRequest } from '#kube/apiserver/rbac.ts';
import {
  forbiddenBy,
  isOf,
  type AdmissionPlugin,
  type AdmissionRequest,
  type AdmissionServices,
} from './request.ts';

const group = 'certificates.k8s.io';

/** By the signer itself, or by all signers of its domain. */
async function maySign(
  verb: string,
  signer: string,
  { user }: AdmissionRequest,
  { authorize }: AdmissionServices,
): Promise<boolean> {
  const ask = async (name: string): Promise<boolean> => {
    const access: AccessRequest = {
      user,
      verb,
      isResource: true,
      group,
      resource: 'signers',
      subresource: undefined,
      namespace: undefined,
      name,
      path: '',
    };
    return (await authorize(access)).kind === 'allow';
  };
  return (await ask(signer)) || ask(`${signer.split('/')[0] ?? ''}/*`);
}

const isRequest = (request: AdmissionRequest): boolean =>
  isOf(request, group, 'certificatesigningrequests');

export const certificateApproval: AdmissionPlugin = {
  name: 'CertificateApproval',
  async validate(request, services) {
    const { operation, old, subresource } = request;
    if (!isRequest(request) || subresource !== 'approval' || operation !== 'UPDATE') return;
    const signer = String(old?.['spec']?.signerName ?? '');
    if (await maySign('approve', signer, request, services)) return;
    const why = `user not permitted to approve requests with signerName ${JSON.stringify(signer)}`;
    throw forbiddenBy(request, why);
  },
};

export const certificateSigning: AdmissionPlugin = {
  name: 'CertificateSigning',
  async validate(request, services) {
    const { operation, object, old, subresource } = request;
    if (!isRequest(request) || subresource !== 'status' || operation !== 'UPDATE') return;
    const certificate = (one: typeof object): unknown => [
      one?.['status']?.certificate,
      (one?.['status']?.conditions ?? []).filter(({ type }: { type: string }) => type === 'Failed'),
    ];
    if (same(certificate(object), certificate(old))) return;
    const signer = String(old?.['spec']?.signerName ?? '');
    if (await maySign('sign', signer, request, services)) return;
    const why = `user not permitted to sign requests with signerName ${JSON.stringify(signer)}`;
    throw forbiddenBy(request, why);
  },
};

const CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client';

export const certificateSubject: AdmissionPlugin = {
  name: 'CertificateSubjectRestriction',
  validate(request) {
    const { operation, object, subresource } = request;
    if (!isRequest(request) || subresource !== undefined || operation !== 'CREATE') return;
    const spec = object?.['spec'] as { signerName?: string; request?: string } | undefined;
    if (spec?.signerName !== CLIENT_SIGNER) return;
    let organizations: readonly string[];
    try {
      ({ organizations } = subjectOfRequest(spec.request ?? ''));
    } catch (error) {
      throw forbiddenBy(request, `failed to parse CSR: ${(error as Error).message}`);
    }
    if (!organizations.includes('system:masters')) return;
    const why = `use of ${CLIENT_SIGNER} signer with system:masters group is not allowed`;
    throw forbiddenBy(request, why);
  },
};

export const trustBundleAttest: AdmissionPlugin = {
  name: 'ClusterTrustBundleAttest',
  async validate(request, services) {
    const { operation, object, subresource } = request;
    if (!isOf(request, group, 'clustertrustbundles') || subresource !== undefined) return;
    if (operation === 'DELETE' || object === undefined) return;
    const signer = String(
      (object['spec'] as { signerName?: string } | undefined)?.signerName ?? '',
    );
    if (signer === '' || (await maySign('attest', signer, request, services))) return;
    const why = `user not permitted to attest for signerName ${JSON.stringify(signer)}`;
    throw forbiddenBy(request, why);
  },
};
