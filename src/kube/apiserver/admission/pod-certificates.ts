// Requests of nodes for the certificates of pods: of a pod that runs there, as itself, for a signer that it
// names (NodeRestriction of kubernetes v1.37).
import { isMirrorPod } from '#kube/meta/pod-references.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { ApiError } from '#kube/meta/status.ts';
import {
  forbiddenBy,
  type AdmissionRequest,
  type AdmissionServices,
  type Json,
} from './request.ts';

interface Spec {
  readonly signerName: string;
  readonly podName: string;
  readonly podUID: string;
  readonly serviceAccountName: string;
  readonly serviceAccountUID: string;
  readonly nodeName: string;
  readonly nodeUID: string;
}

const quoted = (text: string): string => JSON.stringify(text);

/** Not a refusal: what is read here may only be late. */
function late(message: string): ApiError {
  return new ApiError(500, '', message, {});
}

async function named(
  { lookup }: AdmissionServices,
  what: { readonly resource: string; readonly shown: string },
  namespace: string | undefined,
  name: string,
): Promise<KubeObject> {
  const found = await lookup.get('', what.resource, namespace, name);
  if (found !== undefined) return found;
  const singular = what.resource.slice(0, -1);
  throw late(
    `while retrieving ${what.shown} named in the PodCertificateRequest: ${singular} ${quoted(name)} not found`,
  );
}

function mounts(pod: KubeObject, signer: string): boolean {
  return ((pod['spec']?.volumes ?? []) as readonly Json[]).some((volume) => {
    const sources = ((volume['projected'] as Json | undefined)?.['sources'] ?? []) as Json[];
    return sources.some(
      (one) => (one['podCertificate'] as Json | undefined)?.['signerName'] === signer,
    );
  });
}

export async function checkPodCertificate(
  node: string,
  request: AdmissionRequest,
  services: AdmissionServices,
): Promise<void> {
  const { operation, subresource, namespace = '', object } = request;
  const refuse = (why: string): never => {
    throw forbiddenBy(request, why);
  };
  if (operation !== 'CREATE') refuse(`unexpected operation ${operation}`);
  if (subresource !== undefined) refuse(`unexpected subresource ${subresource}`);
  const spec = object?.['spec'] as Spec;
  const of = quoted(`${namespace}/${spec.podName}`);
  if (spec.nodeName !== node) {
    refuse(
      `PodCertificateRequest.Spec.NodeName=${quoted(spec.nodeName)}, which is not the requesting node ${quoted(node)}`,
    );
  }
  const own = { resource: 'nodes', shown: `node ${quoted(node)}` };
  const nodeUid = (await named(services, own, undefined, node)).metadata.uid ?? '';
  if (nodeUid !== spec.nodeUID) {
    throw late(
      `PodCertificateRequest for pod ${of} names node UID ${quoted(spec.nodeUID)}, inconsistent with the running node (${quoted(nodeUid)})`,
    );
  }
  const what = { resource: 'pods', shown: `pod ${of}` };
  const pod = await named(services, what, namespace, spec.podName);
  if (pod.metadata.uid !== spec.podUID) {
    throw late(
      `PodCertificateRequest for pod ${of} contains pod UID (${quoted(spec.podUID)}) which differs from running pod ${quoted(pod.metadata.uid ?? '')}`,
    );
  }
  if (pod['spec']?.nodeName !== node) {
    refuse(`pod ${of} is not running on node ${quoted(node)} named in the PodCertificateRequest`);
  }
  if (isMirrorPod(pod)) refuse(`pod ${of} is a mirror pod`);
  await checkAccount(spec, pod, request, services);
  await checkSigner(spec, pod, request, services);
}

async function checkAccount(
  spec: Spec,
  pod: KubeObject,
  request: AdmissionRequest,
  services: AdmissionServices,
): Promise<void> {
  const { namespace = '' } = request;
  const of = quoted(`${namespace}/${spec.podName}`);
  const { serviceAccountName: account, serviceAccountUID: uid } = spec;
  const running = String(pod['spec']?.serviceAccountName ?? '');
  if (account !== running) {
    throw forbiddenBy(
      request,
      `PodCertificateRequest for pod ${of} contains serviceAccountName (${quoted(account)}) that differs from running pod (${quoted(running)})`,
    );
  }
  const shown = `service account ${quoted(`${namespace}/${account}`)}`;
  const what = { resource: 'serviceaccounts', shown };
  const live = (await named(services, what, namespace, account)).metadata.uid ?? '';
  if (live === uid) return;
  throw late(
    `PodCertificateRequest for pod ${of} names service account UID ${quoted(uid)}, which differs from the running service account (${quoted(live)})`,
  );
}

async function checkSigner(
  spec: Spec,
  pod: KubeObject,
  request: AdmissionRequest,
  { authorize }: AdmissionServices,
): Promise<void> {
  const { namespace = '', user, info } = request;
  if (mounts(pod, spec.signerName)) return;
  const { kind } = await authorize({
    user,
    verb: 'request-serviceaccounts-podcertificate-signer',
    isResource: true,
    group: info.group,
    version: info.version,
    // Roles cannot name resources with slashes.
    resource: spec.signerName.replaceAll('/', ':'),
    subresource: undefined,
    namespace,
    name: spec.serviceAccountName,
    path: '',
  });
  if (kind === 'allow') return;
  const of = quoted(`${namespace}/${spec.podName}`);
  throw forbiddenBy(
    request,
    `pod ${of} does not mount a podCertificate projected volume for signer ${quoted(spec.signerName)}`,
  );
}
