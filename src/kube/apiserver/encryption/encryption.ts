// The transformers that a configuration asks for, by the key under which a value lies.
import type { Env } from '#env/env.ts';
import { resourcePrefix } from '#kube/apiserver/object-store.ts';
import { joinedFailures } from '#kube/meta/status.ts';
import { builtinResources } from '#kube/types/registry.ts';
import { aesCbc, aesGcm, identity, secretbox, type Transformer } from './ciphers.ts';
import { ruleFor, type Provider, type ResourceRule } from './configuration.ts';
import type { KmsProvider } from './kms.ts';

interface GroupResource {
  readonly group: string;
  readonly resource: string;
}

/** What lies where: prefixes of keys, for what is built in. */
const places = new Map<string, GroupResource>(
  builtinResources()
    // Both groups of events lie under one prefix, and are named without a group.
    .filter(({ group }) => group !== 'events.k8s.io')
    .map(({ group, resource }) => [resourcePrefix({ group, resource }), { group, resource }]),
);

/** `/registry/secrets/…`, `/registry/services/specs/…`, `/registry/GROUP/RESOURCE/…`. */
function placeOf(key: string): { prefix: string; resource: GroupResource } | undefined {
  const [, , first = '', second = ''] = key.split('/', 4);
  const longer = `/registry/${first}/${second}/`;
  const found = places.get(longer);
  if (found !== undefined) return { prefix: longer, resource: found };
  const shorter = `/registry/${first}/`;
  const plain = places.get(shorter);
  if (plain !== undefined) return { prefix: shorter, resource: plain };
  return first.includes('.')
    ? { prefix: longer, resource: { group: first, resource: second } }
    : undefined;
}

const builders = { aescbc: aesCbc, aesgcm: aesGcm, secretbox } as const;
const plain: readonly Transformer[] = [identity];

export class Encryption {
  readonly #rules: readonly ResourceRule[];
  readonly #made: ReadonlyMap<ResourceRule, readonly Transformer[]>;
  readonly #plugins: readonly KmsProvider[];
  readonly #byPrefix = new Map<string, readonly Transformer[]>();

  private constructor(
    rules: readonly ResourceRule[],
    made: ReadonlyMap<ResourceRule, readonly Transformer[]>,
    plugins: readonly KmsProvider[],
  ) {
    this.#rules = rules;
    this.#made = made;
    this.#plugins = plugins;
  }

  /** Asks every plugin; throws when one does not answer. */
  static async open(rules: readonly ResourceRule[], env: Env): Promise<Encryption> {
    const plugins: KmsProvider[] = [];
    const make = async (provider: Provider): Promise<readonly Transformer[]> => {
      if (provider.kind === 'identity') return plain;
      if (provider.kind === 'kms') {
        // What speaks to plugins is loaded only where there is one.
        const { KmsProvider: Plugin } = await import('./kms.ts');
        const plugin = new Plugin(provider, env);
        plugins.push(plugin);
        await plugin.start();
        return [plugin];
      }
      const build = builders[provider.kind];
      return provider.keys.map(({ name, secret }) =>
        build(Buffer.from(`k8s:enc:${provider.kind}:v1:${name}:`), secret),
      );
    };
    try {
      const made = new Map<ResourceRule, readonly Transformer[]>();
      for (const rule of rules) {
        const all: Transformer[] = [];
        for (const provider of rule.providers) all.push(...(await make(provider)));
        made.set(rule, all);
      }
      return new Encryption(rules, made, plugins);
    } catch (error) {
      for (const plugin of plugins) plugin.close();
      throw error;
    }
  }

  close(): void {
    for (const plugin of this.#plugins) plugin.close();
  }

  /** Throws what is wrong with any of the plugins, in upstream's words. */
  async check(): Promise<void> {
    const failures: string[] = [];
    for (const [i, plugin] of this.#plugins.entries()) {
      const why = await plugin.failure();
      if (why !== undefined) failures.push(`kms-provider-${i}: ${why}`);
    }
    if (failures.length > 0) throw new Error(joinedFailures(failures));
  }

  /** The first one writes; each may read. */
  transformersFor(key: string): readonly Transformer[] {
    const place = placeOf(key);
    if (place === undefined) return plain;
    let found = this.#byPrefix.get(place.prefix);
    if (found === undefined) {
      const rule = ruleFor(this.#rules, place.resource);
      found = rule === undefined ? plain : (this.#made.get(rule) ?? plain);
      this.#byPrefix.set(place.prefix, found);
    }
    return found;
  }
}
