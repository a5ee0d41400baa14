// The plugins in upstream's order: those that may change the object, again where a webhook or policy did,
// then those that only judge.
import { same } from '#base/same.ts';
import type { Store } from '#store/store.ts';
import { ObjectCache } from '#kube/apiserver/object-cache.ts';
import {
  certificateApproval,
  certificateSigning,
  certificateSubject,
  trustBundleAttest,
} from './certificates.ts';
import {
  claimResize,
  defaultIngressClass,
  defaultStorageClass,
  podTopologyLabels,
  storageObjectInUseProtection,
  taintNodesByCondition,
} from './defaults.ts';
import { namespaceLifecycle } from './lifecycle.ts';
import { limitRanger } from './limit-ranger.ts';
import { MutatingPolicies } from './mutating-policies.ts';
import { nodeRestriction } from './node-restriction.ts';
import { podSecurity } from './pod-security.ts';
import { defaultTolerationSeconds, priority, runtimeClass, serviceAccount } from './pods.ts';
import { resourceQuota, type ChargeQuota } from './resource-quota.ts';
import type { AdmissionPlugin, AdmissionRequest, AdmissionServices } from './request.ts';
import { ValidatingPolicies } from './validating-policies.ts';
import { MutatingWebhooks, ValidatingWebhooks } from './webhooks.ts';

/** In upstream's order. */
const builtIn: readonly AdmissionPlugin[] = [
  namespaceLifecycle,
  limitRanger,
  serviceAccount,
  nodeRestriction,
  taintNodesByCondition,
  podSecurity,
  priority,
  defaultTolerationSeconds,
  defaultStorageClass,
  storageObjectInUseProtection,
  claimResize,
  runtimeClass,
  certificateApproval,
  certificateSigning,
  trustBundleAttest,
  certificateSubject,
  defaultIngressClass,
  podTopologyLabels,
];

const group = 'admissionregistration.k8s.io';
const configurations = [
  'mutatingwebhookconfigurations',
  'validatingwebhookconfigurations',
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
].map((resource) => ({ group, resource }));

/** Kinds that may change objects. */
const changing = ['mutatingwebhookconfigurations', 'mutatingadmissionpolicies'];

interface Dynamic {
  readonly cache: ObjectCache;
  readonly policies: MutatingPolicies;
  readonly webhooks: MutatingWebhooks;
  readonly judges: readonly AdmissionPlugin[];
}

export class AdmissionChain {
  readonly #services: AdmissionServices;
  readonly #quota: AdmissionPlugin;
  #dynamic: Dynamic | undefined;

  constructor(services: AdmissionServices, chargeQuota: ChargeQuota) {
    this.#services = services;
    this.#quota = resourceQuota(chargeQuota);
  }

  /** From then on webhooks and policies take part; before, there are only the server's own objects. */
  async start(store: Store): Promise<void> {
    const cache = await ObjectCache.start(store, configurations);
    this.#dynamic = {
      cache,
      policies: new MutatingPolicies(cache),
      webhooks: new MutatingWebhooks(cache),
      judges: [new ValidatingPolicies(cache), new ValidatingWebhooks(cache)],
    };
  }

  close(): void {
    this.#dynamic?.cache.close();
  }

  /** May change and replace the object. Throws ApiError for a refusal. */
  async mutate(request: AdmissionRequest): Promise<void> {
    for (const plugin of builtIn) await plugin.mutate?.(request, this.#services);
    const dynamic = this.#dynamic;
    const isAny =
      dynamic !== undefined && changing.some((one) => dynamic.cache.all(one).length > 0);
    if (dynamic === undefined || !isAny) return;
    const before = structuredClone(request.object);
    await dynamic.policies.mutate(request, this.#services, false);
    await dynamic.webhooks.mutate(request, this.#services, false);
    if (before === undefined || same(before, request.object)) return;
    // What others changed, everybody who wants to may see once more.
    for (const plugin of builtIn) await plugin.mutate?.(request, this.#services);
    await dynamic.policies.mutate(request, this.#services, true);
    await dynamic.webhooks.mutate(request, this.#services, true);
  }

  /** Of the object as it would be stored. Throws ApiError for a refusal. */
  async validate(request: AdmissionRequest): Promise<void> {
    for (const plugin of builtIn) await plugin.validate?.(request, this.#services);
    for (const plugin of this.#dynamic?.judges ?? []) {
      await plugin.validate?.(request, this.#services);
    }
    // Last: what somebody else refuses uses nothing.
    await this.#quota.validate?.(request, this.#services);
  }
}
