// What a job's pod failure policy says about one failed pod.
import { conditionsOf } from '#kube/meta/conditions.ts';
import { phaseOf } from '#kube/controllers/pod-facts.ts';
import type { KubeObject } from '#kube/meta/object.ts';

interface Rule {
  readonly action: 'FailJob' | 'FailIndex' | 'Ignore' | 'Count';
  readonly onExitCodes?: {
    readonly containerName?: string | null;
    readonly operator: 'In' | 'NotIn';
    readonly values: readonly number[];
  };
  readonly onPodConditions?: readonly { readonly type: string; readonly status?: string }[];
}

interface ContainerStatus {
  readonly name: string;
  readonly state?: { readonly terminated?: { readonly exitCode: number } };
}

export interface PolicyVerdict {
  readonly action: Rule['action'];
  readonly message: string;
}

function exitMatch(rule: Rule, pod: KubeObject): ContainerStatus | undefined {
  const wanted = rule.onExitCodes;
  if (wanted === undefined) return undefined;
  const { initContainerStatuses = [], containerStatuses = [] } = pod['status'] ?? {};
  return ([...initContainerStatuses, ...containerStatuses] as ContainerStatus[]).find((one) => {
    const code = one.state?.terminated?.exitCode;
    if (code === undefined || code === 0) return false;
    if (wanted.containerName && wanted.containerName !== one.name) return false;
    return wanted.values.includes(code) === (wanted.operator === 'In');
  });
}

/** The first rule that matches; undefined when none does, or the pod has not failed. */
export function policyVerdict(job: KubeObject, pod: KubeObject): PolicyVerdict | undefined {
  const rules = (job['spec'].podFailurePolicy?.rules ?? []) as readonly Rule[];
  if (rules.length === 0 || phaseOf(pod) !== 'Failed') return undefined;
  const full = `${pod.metadata.namespace}/${pod.metadata.name}`;
  for (const [index, rule] of rules.entries()) {
    const container = exitMatch(rule, pod);
    if (container !== undefined) {
      const code = container.state?.terminated?.exitCode;
      const message = `Container ${container.name} for pod ${full} failed with exit code ${code} matching ${rule.action} rule at index ${index}`;
      return { action: rule.action, message };
    }
    const condition = (rule.onPodConditions ?? []).find((pattern) =>
      conditionsOf(pod).some(
        (one) => one.type === pattern.type && one.status === (pattern.status ?? 'True'),
      ),
    );
    if (condition !== undefined) {
      const message = `Pod ${full} has condition ${condition.type} matching ${rule.action} rule at index ${index}`;
      return { action: rule.action, message };
    }
  }
  return undefined;
}
