// `strata why pod/NAME`: what a pod of an instance waits for: what its scheduler says, what its node
// says, and below it why the instance is not offered more.
import { Fault } from '#base/fault.ts';
import { KubeClient } from '#kube/client/client.ts';
import { pods } from '#kube/client/resources.ts';

export interface PodView {
  readonly metadata: { readonly deletionTimestamp?: string | undefined };
  readonly spec: {
    readonly nodeName?: string | undefined;
    readonly schedulerName?: string | undefined;
  };
  readonly status: {
    readonly phase?: string | undefined;
    readonly reason?: string | undefined;
    readonly message?: string | undefined;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string | undefined;
      readonly message?: string | undefined;
    }[];
    readonly initContainerStatuses?: readonly ContainerView[];
    readonly containerStatuses?: readonly ContainerView[];
  };
}

interface ContainerView {
  readonly name: string;
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string };
  };
}

export interface PodReason {
  /** Sentences, the most telling first. */
  readonly lines: readonly string[];
  /** Whether the offers of the instance have to do with it. */
  readonly isForOffers: boolean;
}

function because(reason: string | undefined, message: string | undefined): string {
  return [reason, message].filter((one) => one !== undefined && one !== '').join(': ');
}

/** What a pod waits for, from its object alone. */
export function podReason({ metadata, spec, status }: PodView): PodReason {
  const { phase = 'Pending', conditions = [] } = status;
  const { nodeName } = spec;
  const where = nodeName === undefined ? '' : ` on node ${nodeName}`;
  const settled = (line: string): PodReason => ({ lines: [line], isForOffers: false });
  if (metadata.deletionTimestamp !== undefined) return settled(`it is being deleted${where}`);
  if (phase !== 'Pending') {
    const why = because(status.reason, status.message);
    return settled(`it is ${phase}${where}${why === '' ? '' : ` (${why})`}`);
  }
  if (nodeName !== undefined) {
    const waiting = [
      ...(status.initContainerStatuses ?? []),
      ...(status.containerStatuses ?? []),
    ].flatMap(({ name, state }) => {
      const why = because(state?.waiting?.reason, state?.waiting?.message);
      return state?.waiting === undefined ? [] : [`container ${name} waits: ${why}`];
    });
    const lines = [`it has its place${where}, and waits for that node to start it`, ...waiting];
    return { lines, isForOffers: false };
  }
  const other = spec.schedulerName ?? 'default-scheduler';
  if (other !== 'default-scheduler') {
    return settled(`it waits for the scheduler '${other}', which is not that of the instance`);
  }
  const scheduled = conditions.find(({ type }) => type === 'PodScheduled');
  const told = because(scheduled?.reason, scheduled?.message);
  return {
    lines: [told === '' ? 'it waits for offers that it fits into' : `no node for it: ${told}`],
    isForOffers: true,
  };
}

/** Throws a Fault when there is no such pod. */
export async function readPod(
  kubeconfig: string,
  place: { readonly namespace: string; readonly name: string },
): Promise<PodView> {
  const client = KubeClient.fromKubeconfig(kubeconfig, { userAgent: 'strata-why' });
  try {
    const pod = await client.find(pods, place);
    if (pod === undefined) {
      const { namespace, name } = place;
      throw new Fault(
        { code: 'not-found' },
        `There is no pod "${name}" in namespace "${namespace}"`,
      );
    }
    return pod as unknown as PodView;
  } finally {
    await client.close();
  }
}
