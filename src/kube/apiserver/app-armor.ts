// Annotations that name AppArmor profiles become fields of the containers of a new pod (kube-apiserver v1.37).
import { same } from '#base/same.ts';
import { APP_ARMOR, appArmorProfile } from '#kube/meta/app-armor-profile.ts';
import type { KubeObject } from '#kube/meta/object.ts';

type Json = Record<string, unknown>;

/** What is to be said to the client. */
export function takeAppArmor({ metadata, spec }: KubeObject): string[] {
  const { annotations = {} } = metadata;
  if (!Object.keys(annotations).some((key) => key.startsWith(APP_ARMOR))) return [];
  const pod = (spec ?? {}) as Json;
  if ((pod['os'] as Json | undefined)?.['name'] === 'windows') return [];
  const whole = (pod['securityContext'] as Json | undefined)?.['appArmorProfile'];
  const warnings: string[] = [];
  for (const field of ['initContainers', 'containers', 'ephemeralContainers']) {
    for (const container of (pod[field] ?? []) as Json[]) {
      const key = `${APP_ARMOR}${String(container['name'])}`;
      const annotation = annotations[key];
      const own = container['securityContext'] as Json | undefined;
      if (annotation === undefined || own?.['appArmorProfile'] !== undefined) continue;
      const profile = appArmorProfile(annotation);
      if (profile !== undefined && same(profile, whole)) continue;
      if (profile !== undefined)
        container['securityContext'] = { ...own, appArmorProfile: profile };
      const why = 'deprecated since v1.30; use the "appArmorProfile" field instead';
      warnings.push(`metadata.annotations[${key}]: ${why}`);
    }
  }
  return warnings;
}
