// What is shown of messages that hold secrets: everything but their values. Mesos 1.11 shows those, too.
import type {
  CommandInfo,
  ContainerInfo,
  ExecutorInfo,
  HealthCheck,
  Image,
  Secret,
  Task,
  Volume,
} from '#wire/mesos/v1.ts';

/** The place of a secret that is kept elsewhere may be seen. */
function shownSecret<T extends Secret | undefined>(secret: T): T {
  return secret?.value === undefined ? secret : { ...secret, value: undefined };
}

function shownImage(image: Image): Image {
  const { docker } = image;
  if (docker?.config === undefined) return image;
  return { ...image, docker: { ...docker, config: shownSecret(docker.config) } };
}

function shownVolume(volume: Volume): Volume {
  const { image, source } = volume;
  if (image === undefined && source?.secret === undefined) return volume;
  return {
    ...volume,
    ...(image === undefined ? {} : { image: shownImage(image) }),
    ...(source === undefined ? {} : { source: { ...source, secret: shownSecret(source.secret) } }),
  };
}

export function shownContainer(container: ContainerInfo): ContainerInfo {
  const { mesos, volumes } = container;
  return {
    ...container,
    ...(volumes === undefined ? {} : { volumes: volumes.map(shownVolume) }),
    ...(mesos?.image === undefined ? {} : { mesos: { ...mesos, image: shownImage(mesos.image) } }),
  };
}

export function shownExecutor(info: ExecutorInfo): ExecutorInfo {
  const { command, container } = info;
  return {
    ...info,
    ...(container === undefined ? {} : { container: shownContainer(container) }),
    ...(command === undefined ? {} : { command: shownCommand(command) }),
  };
}

function shownCommand(command: CommandInfo): CommandInfo {
  const { variables } = command.environment ?? {};
  if (variables === undefined) return command;
  const shown = variables.map((one) =>
    one.secret?.value === undefined ? one : { ...one, secret: shownSecret(one.secret) },
  );
  return { ...command, environment: { variables: shown } };
}

export function shownHealthCheck(check: HealthCheck): HealthCheck {
  const { command } = check;
  return command === undefined ? check : { ...check, command: shownCommand(command) };
}

/** Agents of Mesos bring their tasks along with all that they hold. */
export function shownTask(task: Task): Task {
  const { container, health_check } = task;
  if (container === undefined && health_check === undefined) return task;
  return {
    ...task,
    ...(container === undefined ? {} : { container: shownContainer(container) }),
    ...(health_check === undefined ? {} : { health_check: shownHealthCheck(health_check) }),
  };
}
