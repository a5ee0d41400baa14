// What is told to whoever keeps something derived from the master's state (kept-views.ts): which
// record came, left or changed. Everything that an endpoint shows and that can change is told here.
import type { AgentInfo, Task } from '#wire/mesos/v1.ts';
import type { OfferRecord } from './offer-book.ts';
import type { AgentRecord, ExecutorRecord, FrameworkRecord } from './types.ts';

/** A framework's lists of tasks. */
export type TaskList = 'tasks' | 'unreachable' | 'completed';
export type Change = 'came' | 'changed' | 'left';

export interface StateWatcher {
  onTask(framework: FrameworkRecord, task: Task, list: TaskList, change: Change): void;
  onExecutor(
    framework: FrameworkRecord | undefined,
    agent: AgentRecord,
    executor: ExecutorRecord,
    change: Change,
  ): void;
  onOffer(
    framework: FrameworkRecord | undefined,
    agent: AgentRecord | undefined,
    offer: OfferRecord,
    change: Change,
  ): void;
  /** A task that ended gave back what it held; it is still in its list. */
  onUse(framework: FrameworkRecord, agent: AgentRecord): void;
  /** Of its own: what it is, whether it is connected and active, its total. */
  onAgent(agent: AgentRecord, change: Change): void;
  /** An agent known from the registry only is back, or no longer waited for. */
  onRecovered(info: AgentInfo): void;
  /** Of its own, or of the inverse offers that it has. */
  onFramework(framework: FrameworkRecord): void;
  /** Of the completed ones the oldest. */
  onForgotten(framework: FrameworkRecord): void;
}

export const nobody: StateWatcher = {
  onTask: () => {},
  onExecutor: () => {},
  onOffer: () => {},
  onUse: () => {},
  onAgent: () => {},
  onRecovered: () => {},
  onFramework: () => {},
  onForgotten: () => {},
};
