// Which objects belong to which node: through the pods that are placed there, the claims and volumes of
// these, attachments, slices and certificate requests. Pure; whoever follows the store feeds it.
import type { KubeObject } from '#kube/meta/object.ts';
import {
  isMirrorPod,
  podClaims,
  podConfigMaps,
  podResourceClaims,
  podSecrets,
  volumeSecrets,
} from '#kube/meta/pod-references.ts';

/** Resources that a node may have a way to. */
export type Related =
  | 'configmaps'
  | 'persistentvolumeclaims'
  | 'persistentvolumes'
  | 'podcertificaterequests'
  | 'pods'
  | 'resourceclaims'
  | 'resourceslices'
  | 'secrets'
  | 'serviceaccounts'
  | 'volumeattachments';

interface Volume {
  readonly claim: string;
  readonly secrets: readonly string[];
}

interface PlacedPod {
  readonly node: string;
  readonly references: readonly string[];
}

const keyOf = (what: Related, key: string): string => `${what} ${key}`;

function referencesOf(key: string, pod: KubeObject): string[] {
  const own = keyOf('pods', key);
  // A node makes mirror pods itself: they give it nothing.
  if (isMirrorPod(pod)) return [own];
  const { namespace = '' } = pod.metadata;
  const account = String(pod['spec']?.serviceAccountName ?? '');
  const named = (what: Related, names: readonly string[]): string[] =>
    names.map((name) => keyOf(what, `${namespace}/${name}`));
  return [
    own,
    ...named('serviceaccounts', account === '' ? [] : [account]),
    ...named('secrets', podSecrets(pod)),
    ...named('configmaps', podConfigMaps(pod)),
    ...named('persistentvolumeclaims', podClaims(pod)),
    ...named('resourceclaims', podResourceClaims(pod)),
  ];
}

export class NodeGraph {
  readonly #pods = new Map<string, PlacedPod>();
  /** Of an object: how many pods of each node name it. */
  readonly #nodes = new Map<string, Map<string, number>>();
  readonly #volumes = new Map<string, Volume>();
  readonly #volumesOfSecret = new Map<string, Set<string>>();
  /** Attachments, slices, certificate requests: of one node each. */
  readonly #owned = new Map<string, string>();

  /** `key` is namespace/name. */
  setPod(key: string, pod: KubeObject): void {
    const node = String(pod['spec']?.nodeName ?? '');
    const old = this.#pods.get(key);
    if (node === '') {
      if (old !== undefined) this.removePod(key);
      return;
    }
    const references = referencesOf(key, pod);
    const isSame =
      old?.node === node &&
      old.references.length === references.length &&
      references.every((one, i) => one === old.references[i]);
    if (isSame) return;
    this.removePod(key);
    this.#pods.set(key, { node, references });
    for (const one of references) {
      const nodes = this.#nodes.get(one) ?? new Map<string, number>();
      nodes.set(node, (nodes.get(node) ?? 0) + 1);
      this.#nodes.set(one, nodes);
    }
  }

  removePod(key: string): void {
    const old = this.#pods.get(key);
    if (old === undefined) return;
    this.#pods.delete(key);
    for (const one of old.references) {
      const nodes = this.#nodes.get(one);
      const left = (nodes?.get(old.node) ?? 0) - 1;
      if (left > 0) nodes?.set(old.node, left);
      else nodes?.delete(old.node);
      if (nodes?.size === 0) this.#nodes.delete(one);
    }
  }

  setVolume(name: string, volume: KubeObject): void {
    this.removeVolume(name);
    const ref = volume['spec']?.claimRef as { namespace?: string; name?: string } | undefined;
    if (ref === undefined) return;
    const secrets = volumeSecrets(volume);
    this.#volumes.set(name, { claim: `${ref.namespace ?? ''}/${ref.name ?? ''}`, secrets });
    for (const secret of secrets) {
      const volumes = this.#volumesOfSecret.get(secret) ?? new Set();
      this.#volumesOfSecret.set(secret, volumes.add(name));
    }
  }

  removeVolume(name: string): void {
    const old = this.#volumes.get(name);
    this.#volumes.delete(name);
    for (const secret of old?.secrets ?? []) {
      const volumes = this.#volumesOfSecret.get(secret);
      volumes?.delete(name);
      if (volumes?.size === 0) this.#volumesOfSecret.delete(secret);
    }
  }

  /** An object of one node; an empty node is none. */
  setOwned(what: Related, key: string, node: string): void {
    if (node === '') this.#owned.delete(keyOf(what, key));
    else this.#owned.set(keyOf(what, key), node);
  }

  removeOwned(what: Related, key: string): void {
    this.#owned.delete(keyOf(what, key));
  }

  /** Whether there is a way from the object to the node. `key` is the name or namespace/name. */
  isRelated(node: string, what: Related, key: string): boolean {
    if (what === 'persistentvolumes') return this.#isVolumeRelated(node, key);
    const own = keyOf(what, key);
    if (this.#owned.get(own) === node || this.#nodes.get(own)?.has(node) === true) return true;
    if (what !== 'secrets') return false;
    for (const volume of this.#volumesOfSecret.get(key) ?? []) {
      if (this.#isVolumeRelated(node, volume)) return true;
    }
    return false;
  }

  #isVolumeRelated(node: string, name: string): boolean {
    const claim = this.#volumes.get(name)?.claim;
    return claim !== undefined && this.isRelated(node, 'persistentvolumeclaims', claim);
  }
}
