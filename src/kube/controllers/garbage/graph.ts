// Who depends on whom, by uid: what the garbage collector knows. Pure.
import type { DiscoveredResource } from '#kube/client/discovery.ts';
import type { KubeObject } from '#kube/meta/object.ts';

export const FOREGROUND = 'foregroundDeletion';
export const ORPHAN = 'orphan';

export interface GraphNode {
  readonly resource: DiscoveredResource;
  readonly object: KubeObject;
}

export function ownersOf(node: GraphNode) {
  return node.object.metadata.ownerReferences ?? [];
}

export function isGoing(node: GraphNode): boolean {
  return node.object.metadata.deletionTimestamp !== undefined;
}

export function isWaiting(node: GraphNode, finalizer: string): boolean {
  return isGoing(node) && node.object.metadata.finalizers?.includes(finalizer) === true;
}

export class OwnerGraph {
  readonly #nodes = new Map<string, GraphNode>();
  readonly #dependents = new Map<string, Set<string>>();

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  dependentsOf(uid: string): GraphNode[] {
    const found: GraphNode[] = [];
    for (const one of this.#dependents.get(uid) ?? []) {
      const node = this.#nodes.get(one);
      if (node !== undefined) found.push(node);
    }
    return found;
  }

  /** Those that have an owner, or wait for what they own. */
  *uids(): Iterable<string> {
    for (const [uid, node] of this.#nodes)
      if (ownersOf(node).length > 0 || isGoing(node)) yield uid;
  }

  /** Returns the uids that must be looked at. */
  put(node: GraphNode): string[] {
    const { uid = '' } = node.object.metadata;
    const old = this.#nodes.get(uid);
    if (old !== undefined) this.#unlink(uid, old);
    this.#nodes.set(uid, node);
    for (const owner of ownersOf(node)) {
      const dependents = this.#dependents.get(owner.uid);
      if (dependents === undefined) this.#dependents.set(owner.uid, new Set([uid]));
      else dependents.add(uid);
    }
    const affected: string[] = [];
    const hasChanged = JSON.stringify(old && ownersOf(old)) !== JSON.stringify(ownersOf(node));
    const isNewlyGoing = isGoing(node) && (old === undefined || !isGoing(old));
    const isHeld = isWaiting(node, FOREGROUND) || isWaiting(node, ORPHAN);
    if ((hasChanged && ownersOf(node).length > 0) || isHeld) affected.push(uid);
    if (isNewlyGoing) affected.push(...this.#uidsOf(this.dependentsOf(uid)));
    // An owner may have waited for this one to let go of it.
    if (hasChanged && old !== undefined) affected.push(...ownersOf(old).map((one) => one.uid));
    return affected;
  }

  remove(uid: string): string[] {
    const node = this.#nodes.get(uid);
    if (node === undefined) return [];
    this.#unlink(uid, node);
    this.#nodes.delete(uid);
    const owners = ownersOf(node).map((one) => one.uid);
    return [...this.#uidsOf(this.dependentsOf(uid)), ...owners];
  }

  #uidsOf(nodes: readonly GraphNode[]): string[] {
    return nodes.map(({ object }) => object.metadata.uid ?? '');
  }

  #unlink(uid: string, node: GraphNode): void {
    for (const owner of ownersOf(node)) {
      const dependents = this.#dependents.get(owner.uid);
      dependents?.delete(uid);
      if (dependents?.size === 0) this.#dependents.delete(owner.uid);
    }
  }
}
