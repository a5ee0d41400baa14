// Plugins that are off unless --enable-admission-plugins names them, by annotations of the namespace or by
// configuration: where its pods may go (PodNodeSelector), and what they may tolerate.
import { same } from '#base/same.ts';
import { ApiError } from '#kube/meta/status.ts';
import { qosClass } from '#kube/meta/qos-class.ts';
import {
  forbiddenBy,
  isPod,
  isPodCreation,
  type AdmissionPlugin,
  type AdmissionRequest,
  type AdmissionServices,
  type Json,
} from './request.ts';

type Labels = Readonly<Record<string, string>>;

const plain = (why: string): ApiError => new ApiError(500, '', why);

/** `a=b,c=d`. Throws ApiError for what is no list of labels. */
function labelsIn(text: string): Labels {
  if (text === '') return {};
  const pairs = text.split(',').map((one) => {
    const parts = one.split('=');
    if (parts.length !== 2) throw plain(`invalid selector: [${parts.join(' ')}]`);
    return parts.map((part) => part.trim());
  });
  return Object.fromEntries(pairs) as Labels;
}

const conflicts = (a: Labels, b: Labels): boolean =>
  Object.entries(a).some(([key, value]) => b[key] !== undefined && b[key] !== value);

async function annotation(
  { namespace }: AdmissionRequest,
  { lookup }: AdmissionServices,
  key: string,
): Promise<string | undefined> {
  const found = await lookup.get('', 'namespaces', undefined, namespace ?? '');
  return found?.metadata.annotations?.[key];
}

const SELECTOR = 'scheduler.alpha.kubernetes.io/node-selector';

/** `config`: podNodeSelectorPluginConfig, a selector for each namespace and clusterDefaultNodeSelector. */
export function podNodeSelector(config: unknown): AdmissionPlugin {
  const root = (config ?? {}) as { podNodeSelectorPluginConfig?: Labels };
  const selectors = root.podNodeSelectorPluginConfig ?? {};
  const wanted = async (
    request: AdmissionRequest,
    services: AdmissionServices,
  ): Promise<{ own: Labels; spec: Json }> => {
    const spec = request.object?.['spec'] as Json;
    const text =
      (await annotation(request, services, SELECTOR)) ??
      selectors['clusterDefaultNodeSelector'] ??
      '';
    const own = labelsIn(text);
    if (conflicts(own, (spec['nodeSelector'] ?? {}) as Labels)) {
      const why = 'pod node label selector conflicts with its namespace node label selector';
      throw forbiddenBy(request, why);
    }
    return { own, spec };
  };
  return {
    name: 'PodNodeSelector',
    async mutate(request, services) {
      if (!isPodCreation(request)) return;
      const { own, spec } = await wanted(request, services);
      const merged = { ...own, ...(spec['nodeSelector'] as Labels | undefined) };
      if (Object.keys(merged).length > 0) spec['nodeSelector'] = merged;
    },
    async validate(request, services) {
      if (!isPodCreation(request)) return;
      const { spec } = await wanted(request, services);
      const allowed = labelsIn(selectors[request.namespace ?? ''] ?? '');
      if (Object.keys(allowed).length === 0) return;
      const all = Object.entries((spec['nodeSelector'] ?? {}) as Labels);
      if (all.every(([key, value]) => allowed[key] === value)) return;
      const why = 'pod node label selector labels conflict with its namespace whitelist';
      throw forbiddenBy(request, why);
    },
  };
}

interface Toleration {
  readonly key?: string;
  readonly operator?: string;
  readonly value?: string;
  readonly effect?: string;
  readonly tolerationSeconds?: number;
}

/** Whether `wide` tolerates all that `one` does. */
function covers(wide: Toleration, one: Toleration): boolean {
  if (same(wide, one)) return true;
  const { key = '', operator = '', effect = '', tolerationSeconds: seconds } = wide;
  const isAnyKey = key === '' && operator === 'Exists';
  if ((one.key ?? '') !== key && !isAnyKey) return false;
  if ((one.effect ?? '') !== effect && effect !== '') return false;
  if (effect === 'NoExecute' && seconds !== undefined) {
    if (one.tolerationSeconds === undefined || one.tolerationSeconds > seconds) return false;
  }
  if (operator === 'Exists') return true;
  if (operator !== '' && operator !== 'Equal') return false;
  return one.operator === 'Equal' && (one.value ?? '') === (wide.value ?? '');
}

/** What another one covers is left out; of equal ones the first stays. */
export function mergeTolerations(all: readonly Toleration[]): Toleration[] {
  const merged: Toleration[] = [];
  all.forEach((one, i) => {
    const isCovered =
      merged.some((wide) => covers(wide, one)) ||
      all.slice(i + 1).some((wide) => !same(wide, one) && covers(wide, one));
    if (!isCovered) merged.push(one);
  });
  return merged;
}

const DEFAULTS = 'scheduler.alpha.kubernetes.io/defaultTolerations';
const ALLOWED = 'scheduler.alpha.kubernetes.io/tolerationsWhitelist';

/** undefined when the namespace does not say. */
function tolerationsIn(text: string | undefined): readonly Toleration[] | undefined {
  if (text === undefined) return undefined;
  if (text === '') return [];
  try {
    return JSON.parse(text) as Toleration[];
  } catch (error) {
    throw plain((error as Error).message);
  }
}

/** `config`: `default` and `whitelist` for namespaces that do not say. */
export function podTolerationRestriction(config: unknown): AdmissionPlugin {
  const cluster = (config ?? {}) as { default?: Toleration[]; whitelist?: Toleration[] };
  return {
    name: 'PodTolerationRestriction',
    async mutate(request, services) {
      const { operation, object } = request;
      if (!isPod(request) || (operation !== 'CREATE' && operation !== 'UPDATE')) return;
      const spec = object?.['spec'] as Json;
      const extra: Toleration[] = [];
      if (operation === 'CREATE') {
        const own = tolerationsIn(await annotation(request, services, DEFAULTS));
        extra.push(...(own ?? cluster.default ?? []));
      }
      if (qosClass(spec) !== 'BestEffort') {
        const key = 'node.kubernetes.io/memory-pressure';
        extra.push({ key, operator: 'Exists', effect: 'NoSchedule' });
      }
      if (extra.length === 0) return;
      const before = (spec['tolerations'] ?? []) as Toleration[];
      spec['tolerations'] = mergeTolerations([...before, ...extra]);
    },
    async validate(request, services) {
      const { operation, object } = request;
      if (!isPod(request) || (operation !== 'CREATE' && operation !== 'UPDATE')) return;
      const all = (object?.['spec']?.tolerations ?? []) as Toleration[];
      if (all.length === 0) return;
      const own = tolerationsIn(await annotation(request, services, ALLOWED));
      const allowed = own ?? cluster.whitelist ?? [];
      if (allowed.length === 0) return;
      if (all.every((one) => allowed.some((wide) => covers(wide, one)))) return;
      const whose = own === undefined ? 'cluster' : 'namespace';
      throw plain(
        `pod tolerations (possibly merged with namespace default tolerations) conflict with its ${whose} whitelist`,
      );
    },
  };
}
