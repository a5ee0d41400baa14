// The vocabulary of the framework core: what it is told, and what it asks its shell to do. Translation
// to and from Mesos messages is in wire.ts, to and from API objects in nodes.ts and pods.ts.
import type { Wanted } from './demand.ts';
import type { Amounts, SchedulingPod, Taint } from '#kube/scheduler/types.ts';

export interface PortRange {
  readonly begin: number;
  readonly end: number;
}

export interface Offer {
  readonly id: string;
  readonly agentId: string;
  readonly amounts: Amounts;
  readonly ports: readonly PortRange[];
  /** The master knows of an executor of the instance there. */
  readonly hasExecutor: boolean;
}

export interface Agent {
  readonly id: string;
  readonly hostname: string;
  readonly ip: string;
  readonly port: number;
  readonly nodeName: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly region: string | undefined;
  readonly zone: string | undefined;
  readonly capacity: Amounts;
  readonly ports: readonly PortRange[];
  readonly isReachable: boolean;
}

/** What the scheduler needs of a Node object. */
export interface NodeView {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly isUnschedulable: boolean;
}

export interface PodView {
  readonly pod: SchedulingPod;
  readonly phase: string;
  readonly isDeleting: boolean;
  /** The node executor has begun with it: container statuses were reported. */
  readonly hasStarted: boolean;
  /** The attempt to launch it that is noted on it; undefined: none, so that it was at most the first. */
  readonly attempt: number | undefined;
}

export type TaskState = string;

export interface TaskStatus {
  readonly taskId: string;
  readonly state: TaskState;
  readonly agentId: string | undefined;
  readonly source: string;
  readonly reason: string;
  readonly message: string;
  /** base64; present when the update is to be acknowledged. */
  readonly uuid: string | undefined;
}

export interface Launch {
  readonly uid: string;
  /** One for each attempt. */
  readonly taskId: string;
  readonly namespace: string;
  readonly name: string;
  readonly resources: Amounts;
  readonly hostPorts: readonly number[];
}

export type FrameworkEffect =
  | {
      readonly kind: 'bind';
      readonly uid: string;
      readonly namespace: string;
      readonly name: string;
      readonly nodeName: string;
    }
  /** A pod is about to be launched once more: to be written on it first, and answered by `onNoted`. */
  | {
      readonly kind: 'note-attempt';
      readonly uid: string;
      readonly namespace: string;
      readonly name: string;
      readonly attempt: number;
    }
  | {
      readonly kind: 'accept';
      readonly agentId: string;
      readonly nodeName: string;
      readonly offerIds: readonly string[];
      readonly offeredPorts: readonly PortRange[];
      readonly launches: readonly Launch[];
    }
  | {
      readonly kind: 'decline';
      readonly offerIds: readonly string[];
      readonly refuseSeconds: number;
    }
  /** From now on only this is wanted; empty: whatever there is. */
  | { readonly kind: 'request'; readonly wanted: readonly Wanted[] }
  | { readonly kind: 'revive' }
  | { readonly kind: 'suppress' }
  | {
      readonly kind: 'acknowledge';
      readonly agentId: string;
      readonly taskId: string;
      readonly uuid: string;
    }
  | { readonly kind: 'kill'; readonly taskId: string; readonly agentId: string | undefined }
  | {
      readonly kind: 'reconcile';
      readonly tasks: readonly { readonly taskId: string; readonly agentId: string | undefined }[];
    }
  /** The pod cannot be placed now: condition PodScheduled=False and an event. */
  | {
      readonly kind: 'unschedulable';
      readonly uid: string;
      readonly namespace: string;
      readonly name: string;
      readonly message: string;
    }
  /** The substrate ended the pod's task without its executor's word: the pod has failed. */
  | {
      readonly kind: 'fail-pod';
      readonly uid: string;
      readonly namespace: string;
      readonly name: string;
      readonly reason: string;
      readonly message: string;
    }
  /** Nothing of the pod runs anywhere: take it out of the API for good. */
  | {
      readonly kind: 'remove-pod';
      readonly uid: string;
      readonly namespace: string;
      readonly name: string;
    }
  /** What can be allocated on the node changed. */
  | { readonly kind: 'node-changed'; readonly nodeName: string };
