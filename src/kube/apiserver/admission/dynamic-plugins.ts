// Webhooks and policies as plugins: what their configurations say of them (WebhookAdmissionConfiguration,
// ValidatingAdmissionPolicyConfiguration, MutatingAdmissionPolicyConfiguration), and what they are made of.
import { statSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { Fault } from '#base/fault.ts';
import type { Env } from '#env/env.ts';
import type { ResourceRegistry } from '#kube/meta/resource-info.ts';
import { ObjectCache } from '#kube/apiserver/object-cache.ts';
import type { Store } from '#store/store.ts';
import { ConfiguredObjects } from './configured-objects.ts';
import { MutatingPolicies } from './mutating-policies.ts';
import type { PluginSelection } from './plugin-selection.ts';
import type { AdmissionPlugin } from './request.ts';
import { StaticManifests, type ManifestPlugin, type OnLoaded } from './static-manifests.ts';
import { ValidatingPolicies } from './validating-policies.ts';
import { nobody, readCredentials, type CredentialsFor } from './webhook-credentials.ts';
import { MutatingWebhooks, ValidatingWebhooks } from './webhooks.ts';

const GROUP = 'apiserver.config.k8s.io/v1';
const configurationKinds: Readonly<Record<ManifestPlugin, string>> = {
  ValidatingAdmissionWebhook: 'WebhookAdmissionConfiguration',
  MutatingAdmissionWebhook: 'WebhookAdmissionConfiguration',
  ValidatingAdmissionPolicy: 'ValidatingAdmissionPolicyConfiguration',
  MutatingAdmissionPolicy: 'MutatingAdmissionPolicyConfiguration',
};

const resources = [
  'mutatingwebhookconfigurations',
  'validatingwebhookconfigurations',
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
].map((resource) => ({ group: 'admissionregistration.k8s.io', resource }));

interface Settings {
  readonly credentials: CredentialsFor;
  readonly manifests: StaticManifests | undefined;
}

export interface DynamicOptions {
  readonly registry: ResourceRegistry;
  readonly onManifests: OnLoaded;
  readonly env: Pick<Env, 'timers' | 'log'>;
}

export interface Changer {
  readonly mutate: MutatingWebhooks['mutate'];
  /** Whether there is anything that it would ask. */
  readonly isAny: () => boolean;
}

export class DynamicPlugins {
  readonly #settings = new Map<ManifestPlugin, Settings>();
  readonly #selection: PluginSelection;
  readonly #env: DynamicOptions['env'];
  #cache: ObjectCache | undefined;
  #changers: readonly Changer[] = [];
  #judges: readonly AdmissionPlugin[] = [];

  /** Throws Fault for a configuration that cannot be used. */
  constructor(selection: PluginSelection, options: DynamicOptions) {
    this.#selection = selection;
    this.#env = options.env;
    for (const plugin of Object.keys(configurationKinds) as ManifestPlugin[]) {
      if (selection.isOn(plugin))
        this.#settings.set(plugin, settingsOf(plugin, selection, options));
    }
  }

  get changers(): readonly Changer[] {
    return this.#changers;
  }

  get judges(): readonly AdmissionPlugin[] {
    return this.#judges;
  }

  async start(store: Store): Promise<void> {
    const cache = await ObjectCache.start({ store, log: this.#env.log }, resources);
    this.#cache = cache;
    const { isOn } = this.#selection;
    const of = (plugin: ManifestPlugin): readonly [ConfiguredObjects, CredentialsFor] => {
      const { manifests, credentials = nobody } = this.#settings.get(plugin) ?? {};
      return [new ConfiguredObjects(cache, manifests), credentials];
    };
    const judges = [
      new ValidatingPolicies(of('ValidatingAdmissionPolicy')[0]),
      new ValidatingWebhooks(...of('ValidatingAdmissionWebhook')),
    ];
    this.#judges = judges.filter(({ name }) => isOn(name));
    const [policies] = of('MutatingAdmissionPolicy');
    const [webhooks, credentials] = of('MutatingAdmissionWebhook');
    this.#changers = [
      ...(isOn('MutatingAdmissionPolicy')
        ? [changer(new MutatingPolicies(policies), policies, 'mutatingadmissionpolicies')]
        : []),
      ...(isOn('MutatingAdmissionWebhook')
        ? [
            changer(
              new MutatingWebhooks(webhooks, credentials),
              webhooks,
              'mutatingwebhookconfigurations',
            ),
          ]
        : []),
    ];
    for (const { manifests } of this.#settings.values()) manifests?.watch(this.#env);
  }

  close(): void {
    this.#cache?.close();
    for (const { manifests } of this.#settings.values()) manifests?.close();
  }
}

function changer(
  one: Pick<MutatingWebhooks, 'mutate'>,
  objects: ConfiguredObjects,
  resource: string,
): Changer {
  return {
    mutate: async (...all) => await one.mutate(...all),
    isAny: () => objects.all(resource).length > 0,
  };
}

function settingsOf(
  plugin: ManifestPlugin,
  selection: PluginSelection,
  { registry, onManifests }: DynamicOptions,
): Settings {
  const config = selection.configOf(plugin) as Record<string, unknown> | undefined;
  if (config === undefined || config === null) return { credentials: nobody, manifests: undefined };
  const fault = (why: string): Fault =>
    new Fault({ code: 'bad-configuration' }, `Cannot use the configuration of ${plugin}: ${why}`);
  const { apiVersion, kind, kubeConfigFile = '', staticManifestsDir = '' } = config;
  const wanted = configurationKinds[plugin];
  if (apiVersion !== GROUP || kind !== wanted)
    throw fault(`it is a ${String(kind)} of ${String(apiVersion)}, not a ${wanted} of ${GROUP}`);
  const pathOf = (field: string, value: unknown): string => {
    const path = String(value);
    const head = `${field}: Invalid value: ${JSON.stringify(path)}`;
    if (path !== '' && !isAbsolute(path)) throw fault(`${head}: must be an absolute file path`);
    return path;
  };
  const isWebhook = plugin.endsWith('Webhook');
  const file = isWebhook ? pathOf('kubeConfigFile', kubeConfigFile) : '';
  const folder = pathOf('staticManifestsDir', staticManifestsDir);
  if (folder !== '' && statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    const head = `staticManifestsDir: Invalid value: ${JSON.stringify(folder)}`;
    throw fault(`${head}: must be a directory`);
  }
  return {
    credentials: file === '' ? nobody : readCredentials(file),
    manifests:
      folder === ''
        ? undefined
        : new StaticManifests({ plugin, folder, registry, onLoaded: onManifests }),
  };
}
