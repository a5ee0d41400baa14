// The newest version of objects that is known: what an informer has, or what was written here since. So that a
// decision can follow on a write at once, without waiting until the watch has told of it.
import { keyOf } from '#kube/client/informer-store.ts';
import type { Informer } from '#kube/client/informer.ts';
import type { KubeObject } from '#kube/meta/object.ts';

function versionOf(object: KubeObject): number {
  return Number(object.metadata.resourceVersion ?? 0);
}

export class OwnWrites {
  readonly #informer: Pick<Informer, 'get'>;
  readonly #written = new Map<string, KubeObject>();

  constructor(informer: Pick<Informer, 'get'>) {
    this.#informer = informer;
  }

  get size(): number {
    return this.#written.size;
  }

  /** What was written is forgotten once the informer has it, something newer, another or none. */
  get(key: string): KubeObject | undefined {
    const known = this.#informer.get(key);
    const own = this.#written.get(key);
    if (own === undefined) return known;
    const isSame = known?.metadata.uid === own.metadata.uid;
    if (known !== undefined && isSame && versionOf(known) < versionOf(own)) return own;
    this.#written.delete(key);
    return known;
  }

  note(object: KubeObject): void {
    this.#written.set(keyOf(object), object);
  }
}
