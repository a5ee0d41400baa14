// The plugins in upstream's order: those that may change the object, again where a webhook or policy did,
// then those that only judge.
import type { Env } from '#env/env.ts';
import type { Store } from '#store/store.ts';
import type {
  AdmissionStep,
  AdmissionTimes,
  PluginStep,
} from '#kube/apiserver/metrics/internals.ts';
import { WebhookConnections } from '#kube/apiserver/webhook-connections.ts';
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
import { declaredFeatures } from './declared-features.ts';
import { eventRateLimit } from './event-rate-limit.ts';
import { imagePolicy } from './image-policy.ts';
import {
  namespaceAutoProvision,
  namespaceExists,
  namespaceLifecycle,
  refuseOfGoing,
} from './lifecycle.ts';
import { limitRanger } from './limit-ranger.ts';
import { DynamicPlugins } from './dynamic-plugins.ts';
import { podNodeSelector, podTolerationRestriction } from './namespace-pods.ts';
import { nodeRestriction } from './node-restriction.ts';
import { ownerReferences } from './owner-references.ts';
import { pluginSelection, type PluginSelection } from './plugin-selection.ts';
import {
  alwaysPullImages,
  denyExternalIPs,
  extendedResourceToleration,
  limitHardAntiAffinity,
} from './pod-rules.ts';
import { podResize } from './pod-resize.ts';
import { podSecurity } from './pod-security.ts';
import { defaultTolerationSeconds, priority, runtimeClass, serviceAccount } from './pods.ts';
import { Reinvocation } from './reinvocation.ts';
import { resourceQuota, type ChargeQuota } from './resource-quota.ts';
import {
  forbiddenBy,
  type AdmissionPlugin,
  type AdmissionRequest,
  type AdmissionServices,
} from './request.ts';
import type { OnLoaded } from './static-manifests.ts';

const alwaysDeny: AdmissionPlugin = {
  name: 'AlwaysDeny',
  validate(request) {
    throw forbiddenBy(request, 'admission control is denying all modifications');
  },
};

type PluginEnv = Pick<Env, 'clock' | 'timers' | 'log'>;

/** In upstream's order; those that are configured are made of their configuration. */
const builtIn: readonly (
  | AdmissionPlugin
  | readonly [string, (config: unknown, env: PluginEnv) => AdmissionPlugin]
)[] = [
  namespaceAutoProvision,
  namespaceLifecycle,
  namespaceExists,
  limitHardAntiAffinity,
  limitRanger,
  serviceAccount,
  nodeRestriction,
  taintNodesByCondition,
  alwaysPullImages,
  ['ImagePolicyWebhook', imagePolicy],
  ['PodSecurity', podSecurity],
  ['PodNodeSelector', podNodeSelector],
  priority,
  defaultTolerationSeconds,
  ['PodTolerationRestriction', podTolerationRestriction],
  ['EventRateLimit', eventRateLimit],
  extendedResourceToleration,
  defaultStorageClass,
  storageObjectInUseProtection,
  ownerReferences,
  claimResize,
  runtimeClass,
  certificateApproval,
  certificateSigning,
  trustBundleAttest,
  certificateSubject,
  defaultIngressClass,
  denyExternalIPs,
  podTopologyLabels,
  declaredFeatures,
  podResize,
];

function selected({ isOn, configOf }: PluginSelection, env: PluginEnv): AdmissionPlugin[] {
  return builtIn.flatMap((one) => {
    if ('name' in one) return isOn(one.name) ? [one] : [];
    const [name, make] = one;
    return isOn(name) ? [make(configOf(name), env)] : [];
  });
}

export interface ChainOptions {
  readonly chargeQuota: ChargeQuota;
  readonly env: PluginEnv;
  readonly times?: AdmissionTimes | undefined;
  /** Is told of folders of manifests. */
  readonly onManifests?: OnLoaded | undefined;
}

export class AdmissionChain {
  readonly #services: AdmissionServices;
  readonly #times: AdmissionTimes | undefined;
  readonly #plugins: readonly AdmissionPlugin[];
  /** After everything else: what somebody else refuses uses nothing. */
  readonly #last: readonly AdmissionPlugin[];
  readonly #steps = {
    admit: new Map<string, Map<string, PluginStep>>(),
    validate: new Map<string, Map<string, PluginStep>>(),
  };
  readonly #dynamic: DynamicPlugins;

  constructor(
    services: Omit<AdmissionServices, 'webhooks'>,
    { chargeQuota, env, times, onManifests = () => {} }: ChainOptions,
    selection: PluginSelection = pluginSelection({}),
  ) {
    this.#services = { ...services, webhooks: new WebhookConnections() };
    this.#times = times;
    this.#plugins = selected(selection, env);
    const quota = resourceQuota(chargeQuota, selection.configOf('ResourceQuota'));
    this.#last = [quota, alwaysDeny].filter(({ name }) => selection.isOn(name));
    const { registry } = services;
    this.#dynamic = new DynamicPlugins(selection, { registry, onManifests, env });
  }

  /** From then on webhooks and policies take part; before, there are only the server's own objects. */
  async start(store: Store): Promise<void> {
    await this.#dynamic.start(store);
  }

  close(): void {
    this.#dynamic.close();
    this.#services.webhooks.close();
  }

  /** May change and replace the object. Throws ApiError for a refusal. */
  async mutate(request: AdmissionRequest): Promise<void> {
    refuseOfGoing(request);
    const step = { operation: request.operation, type: 'admit' } as const;
    await this.#timed(step, () => this.#change(request));
  }

  async #change(request: AdmissionRequest): Promise<void> {
    await this.#all(this.#plugins, 'mutate', request);
    const { changers } = this.#dynamic;
    if (!changers.some((one) => one.isAny())) return;
    const rounds = changers.map((one) => ({ one, round: new Reinvocation() }));
    for (const { one, round } of rounds) await one.mutate(request, this.#services, round);
    if (rounds.every(({ round }) => !round.isWanted)) return;
    // What others changed, everybody who wants to may see once more.
    await this.#all(this.#plugins, 'mutate', request);
    for (const { one, round } of rounds) {
      round.startAgain();
      await one.mutate(request, this.#services, round);
    }
  }

  /** Of the object as it would be stored. Throws ApiError for a refusal. */
  async validate(request: AdmissionRequest): Promise<void> {
    const step = { operation: request.operation, type: 'validate' } as const;
    await this.#timed(step, async () => {
      await this.#all(this.#plugins, 'validate', request);
      await this.#all(this.#dynamic.judges, 'validate', request);
      await this.#all(this.#last, 'validate', request);
    });
  }

  async #all(
    plugins: readonly AdmissionPlugin[],
    method: 'mutate' | 'validate',
    request: AdmissionRequest,
  ): Promise<void> {
    const times = this.#times;
    for (let i = 0; i < plugins.length; i += 1) {
      const plugin = plugins[i] as AdmissionPlugin;
      if (plugin[method] === undefined) continue;
      const startedAt = times?.now() ?? 0;
      let rejected = true;
      try {
        // Most judge at once, and there are dozens.
        const later = plugin[method](request, this.#services);
        if (later !== undefined) await later;
        rejected = false;
      } finally {
        const step = this.#stepOf(plugin, method, request.operation);
        times?.plugin(step, rejected, times.now() - startedAt);
      }
    }
  }

  /** The same object each time: what is counted by it is found by it. */
  #stepOf(
    { name }: AdmissionPlugin,
    method: 'mutate' | 'validate',
    operation: AdmissionStep['operation'],
  ): PluginStep {
    const type = method === 'mutate' ? 'admit' : 'validate';
    const steps = this.#steps[type];
    let ofPlugin = steps.get(name);
    if (ofPlugin === undefined) steps.set(name, (ofPlugin = new Map()));
    let step = ofPlugin.get(operation);
    if (step === undefined) ofPlugin.set(operation, (step = { name, operation, type }));
    return step;
  }

  async #timed(step: AdmissionStep, work: () => Promise<void>): Promise<void> {
    const startedAt = this.#times?.now() ?? 0;
    let rejected = true;
    try {
      await work();
      rejected = false;
    } finally {
      this.#times?.step(step, rejected, this.#times.now() - startedAt);
    }
  }
}
