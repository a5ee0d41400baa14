// What a controller's core may ask for. perform.ts does it, in this order; what stands side by side and
// is of one kind (creations, deletions) is done at once.
import type { GroupVersionResource, KubeObject } from '#kube/meta/object.ts';
import { same } from '#base/same.ts';

/** Events `Created pod: x`, `Error creating: …` about the object that it is done for. */
export interface Announcement {
  readonly about: KubeObject;
  /** `pod` in `Created pod: x`. */
  readonly noun: string;
}

export type Effect =
  | {
      readonly kind: 'create';
      readonly resource: GroupVersionResource;
      readonly object: KubeObject;
      readonly announce?: Announcement | undefined;
      /** The controller does not count again before its informer has shown it. */
      readonly isExpected?: boolean | undefined;
      /** That it exists already is as good. */
      readonly mayExist?: boolean | undefined;
    }
  | {
      readonly kind: 'delete';
      readonly resource: GroupVersionResource;
      readonly object: KubeObject;
      readonly announce?: Announcement | undefined;
      readonly isExpected?: boolean | undefined;
      readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan' | undefined;
      readonly gracePeriodSeconds?: number | undefined;
      /** Only if it is still in the version that was judged. */
      readonly isVersionChecked?: boolean | undefined;
    }
  | {
      readonly kind: 'patch';
      readonly resource: GroupVersionResource;
      readonly object: KubeObject;
      readonly type: 'merge' | 'strategic' | 'apply';
      /** Of `apply`, which takes its fields from other managers. */
      readonly fieldManager?: string | undefined;
      readonly patch: unknown;
      readonly subresource?: string | undefined;
    }
  | {
      readonly kind: 'update';
      readonly resource: GroupVersionResource;
      readonly object: KubeObject;
      readonly subresource?: string | undefined;
    }
  | {
      readonly kind: 'event';
      readonly about: KubeObject;
      readonly type: 'Normal' | 'Warning';
      readonly reason: string;
      readonly message: string;
    };

export interface Decision {
  readonly effects: readonly Effect[];
  /** Look again after this time, whatever happens. */
  readonly againInMs?: number | undefined;
}

export const nothing: Decision = { effects: [] };

/** Nothing when the status is what it is already. */
export function statusUpdate(
  resource: GroupVersionResource,
  object: KubeObject,
  status: Readonly<Record<string, unknown>>,
): Effect[] {
  if (same(object['status'] ?? {}, status)) return [];
  return [{ kind: 'update', resource, object: { ...object, status }, subresource: 'status' }];
}
