// Whether what an agent says of itself when it registers can be. One that says what cannot is not answered, as by Mesos
// 1.11: nothing of it is taken over.
import { validateResourceShapes } from '#mesos/resources/validation.ts';
import type { ExecutorInfo, FrameworkInfo, Messages, Task } from '#wire/mesos/v1.ts';
import { validateOfferFilters } from './framework-settings.ts';
import { validateId } from '#mesos/validation/ids.ts';
import { validateFrameworkInfo } from './roles.ts';

type Register = Messages['RegisterSlaveMessage'];
type Reregister = Messages['ReregisterSlaveMessage'];

const AGENT_MAJOR_MIN = 1;
const VERSION = /^(\d+)(\.\d+){0,2}(-[\dA-Za-z.-]+)?(\+[\dA-Za-z.-]+)?$/;

/** What is wrong; undefined: nothing. */
export function registrationProblem(message: Register | Reregister): string | undefined {
  const { slave, checkpointed_resources = [], version = '' } = message;
  const id = slave.id === undefined ? undefined : validateId(slave.id.value);
  const isReturn = slave.id !== undefined;
  if (!isReturn && checkpointed_resources.length > 0 && slave.checkpoint !== true) {
    return 'Checkpointed resources provided when checkpointing is not enabled';
  }
  return (
    id ??
    validateResourceShapes(slave.resources ?? []) ??
    validateResourceShapes(checkpointed_resources) ??
    (isReturn ? reportProblem(message) : undefined) ??
    versionProblem(version)
  );
}

function versionProblem(version: string): string | undefined {
  const [, major] = VERSION.exec(version) ?? [];
  if (major === undefined) return `Failed to parse the version '${version}'`;
  // What came before 1.0.0 is older than it.
  const isOld = Number(major) < AGENT_MAJOR_MIN || /^1(\.0)*-/.test(version);
  return isOld ? `Version '${version}' is below the minimum` : undefined;
}

/** Of what runs on it. */
function reportProblem(message: Reregister): string | undefined {
  const { slave, frameworks = [], executor_infos = [], tasks = [] } = message;
  const agentId = slave.id?.value ?? '';
  const known = new Set<string>();
  for (const info of frameworks) {
    const wrong = frameworkProblem(info, known);
    if (wrong !== undefined) return wrong;
    known.add(info.id?.value ?? '');
  }
  const executors = new Set<string>();
  for (const info of executor_infos) {
    const wrong = executorProblem(info, known, executors);
    if (wrong !== undefined) return wrong;
    executors.add(keyOf(info.framework_id?.value, info.executor_id.value));
  }
  for (const task of tasks) {
    const wrong = taskProblem(task, agentId, known, executors);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

function keyOf(framework = '', executor = ''): string {
  return JSON.stringify([framework, executor]);
}

function frameworkProblem(info: FrameworkInfo, known: ReadonlySet<string>): string | undefined {
  const id = info.id?.value ?? '';
  if (known.has(id)) return `Framework has a duplicate FrameworkID: '${id}'`;
  return validateFrameworkInfo(info, []) ?? validateOfferFilters(info);
}

function executorProblem(
  info: ExecutorInfo,
  frameworks: ReadonlySet<string>,
  executors: ReadonlySet<string>,
): string | undefined {
  const id = validateId(info.executor_id.value) ?? validateResourceShapes(info.resources ?? []);
  if (id !== undefined) return id;
  const framework = info.framework_id?.value ?? '';
  if (!frameworks.has(framework)) return `Executor has an invalid FrameworkID '${framework}'`;
  const isTwice = executors.has(keyOf(framework, info.executor_id.value));
  return isTwice ? `Framework '${framework}' has a duplicate ExecutorID` : undefined;
}

function taskProblem(
  task: Task,
  agentId: string,
  frameworks: ReadonlySet<string>,
  executors: ReadonlySet<string>,
): string | undefined {
  const id = validateId(task.task_id.value);
  if (id !== undefined) return `Task has an invalid TaskID: ${id}`;
  if (task.agent_id.value !== agentId) {
    return `Task has an invalid SlaveID '${task.agent_id.value}'`;
  }
  const framework = task.framework_id.value;
  if (!frameworks.has(framework)) return `Task has an invalid FrameworkID '${framework}'`;
  // The executor of a command is made by the agent; it is not told.
  const executor = task.executor_id?.value;
  const isRunning = executor !== undefined && task.state === 'TASK_RUNNING';
  if (isRunning && !executors.has(keyOf(framework, executor))) {
    return `Task has an invalid ExecutorID '${executor}'`;
  }
  const wrong = validateResourceShapes(task.resources ?? []);
  return wrong === undefined ? undefined : `Task uses invalid resources: ${wrong}`;
}
