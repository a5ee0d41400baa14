// Approves requests of nodes for their own certificates, signs what is approved, and clears away.
import { X509Certificate } from 'node:crypto';
import { keyOf } from '#kube/client/informer-store.ts';
import { certificateSigningRequests } from '#kube/client/resources.ts';
import { nothing, type Decision } from '#kube/controllers/effects.ts';
import { Controller, followOwn, type ControllerServices } from '#kube/controllers/frame.ts';
import type { GroupVersionResource, KubeObject } from '#kube/meta/object.ts';
import { namesOfRequest, type RequestedNames } from '#kube/pki/signing.ts';
import {
  accessReview,
  approve,
  clean,
  fail,
  isDecided,
  isIssued,
  isToBeSigned,
  issue,
  permissionsFor,
  problemOf,
  secondsOf,
  SIGNERS,
  specOf,
} from './core.ts';

const accessReviews: GroupVersionResource = {
  group: 'authorization.k8s.io',
  version: 'v1',
  resource: 'subjectaccessreviews',
};

const known = new Set<string>(Object.values(SIGNERS));

function namesOf(request: KubeObject): RequestedNames | undefined {
  try {
    return namesOfRequest(specOf(request).request);
  } catch {
    return undefined;
  }
}

/** Milliseconds since the epoch. */
function endOfCertificate(request: KubeObject): number | undefined {
  if (!isIssued(request)) return undefined;
  try {
    const pem = Buffer.from(String(request['status']?.certificate), 'base64');
    return new X509Certificate(pem).validToDate.getTime();
  } catch {
    return undefined;
  }
}

async function decide(
  request: KubeObject,
  now: number,
  { client, signer }: ControllerServices,
): Promise<Decision> {
  const names = namesOf(request);
  if (names === undefined || isIssued(request)) return nothing;
  if (!isDecided(request)) {
    for (const permission of permissionsFor(request, names)) {
      const answer = await client.create(accessReviews, accessReview(request, permission));
      if (answer['status']?.allowed === true) return approve(request, permission);
    }
    return nothing;
  }
  const { signerName, request: text, usages = [] } = specOf(request);
  if (!isToBeSigned(request) || !known.has(signerName) || signer === undefined) return nothing;
  const problem = problemOf(request, names);
  if (problem !== undefined) return fail(request, problem);
  const seconds = secondsOf(request);
  return issue(request, await signer.sign({ request: text, usages, seconds }, now));
}

export function certificateController(services: ControllerServices): Controller {
  const all = services.informers.informer(certificateSigningRequests);
  const controller = new Controller(
    {
      name: 'certificates',
      component: 'certificate-controller',
      needs: [all],
      keys: () => all.list().map(keyOf),
      reconcile: async (key, now) => {
        const request = all.get(key);
        if (request === undefined) return nothing;
        const { effects } = await decide(request, now, services);
        const rest = clean(request, endOfCertificate(request), now);
        return effects.length === 0 ? rest : { ...rest, effects };
      },
    },
    services,
  );
  followOwn(all, controller);
  return controller;
}
