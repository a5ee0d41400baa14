// What a node and its pods use: the kubelet's /stats/summary and its metrics in Prometheus text.
import { cpus, freemem, totalmem, uptime } from 'node:os';
import { podIdentity } from './pod-spec.ts';
import { timeText } from './pod-status.ts';
import type { PodWorker } from './pod-worker.ts';
import type { ContainerUsage } from './runtime.ts';

interface Measured {
  readonly worker: PodWorker;
  readonly containers: readonly {
    readonly name: string;
    readonly startedAt: number;
    readonly usage: ContainerUsage;
  }[];
}

async function measure(workers: readonly PodWorker[]): Promise<Measured[]> {
  return Promise.all(
    workers.map(async (worker) => {
      const running = worker.state.containers.map(async ({ name, attempt, phase }) => {
        if (phase.kind !== 'running') return undefined;
        const usage = await worker.runtime.usage(worker.place(name, attempt));
        if (usage === undefined) return undefined;
        return { name, startedAt: phase.startedAt, usage };
      });
      const containers = (await Promise.all(running)).filter((each) => each !== undefined);
      return { worker, containers };
    }),
  );
}

function cpuSecondsOfNode(): number {
  let ms = 0;
  for (const { times } of cpus()) ms += times.user + times.sys + times.nice + times.irq;
  return ms / 1000;
}

export async function statsSummary(
  nodeName: string,
  workers: readonly PodWorker[],
): Promise<unknown> {
  const time = timeText(Date.now());
  const used = totalmem() - freemem();
  const usage = (cpuSeconds: number, memoryBytes: number): Record<string, unknown> => ({
    cpu: { time, usageCoreNanoSeconds: Math.round(cpuSeconds * 1e9) },
    memory: { time, usageBytes: memoryBytes, workingSetBytes: memoryBytes },
  });
  const measured = await measure(workers.filter((worker) => !worker.isFinished));
  return {
    node: {
      nodeName,
      startTime: timeText(Date.now() - uptime() * 1000),
      ...usage(cpuSecondsOfNode(), used),
    },
    pods: measured.map(({ worker, containers }) => {
      const total = { cpu: 0, memory: 0 };
      for (const each of containers) {
        total.cpu += each.usage.cpuSeconds;
        total.memory += each.usage.memoryBytes;
      }
      return {
        podRef: podIdentity(worker.pod),
        startTime: timeText(worker.state.startedAt),
        containers: containers.map((each) => ({
          name: each.name,
          startTime: timeText(each.startedAt),
          ...usage(each.usage.cpuSeconds, each.usage.memoryBytes),
        })),
        ...usage(total.cpu, total.memory),
      };
    }),
  };
}

/** The names of /metrics/resource, which metrics-server reads. */
export async function renderMetrics(
  nodeName: string,
  workers: readonly PodWorker[],
): Promise<string> {
  const measured = await measure(workers.filter((worker) => !worker.isFinished));
  const lines = [
    '# TYPE node_cpu_usage_seconds_total counter',
    `node_cpu_usage_seconds_total ${cpuSecondsOfNode()}`,
    '# TYPE node_memory_working_set_bytes gauge',
    `node_memory_working_set_bytes ${totalmem() - freemem()}`,
    '# TYPE kubelet_running_pods gauge',
    `kubelet_running_pods ${measured.length}`,
    '# TYPE kubelet_node_name gauge',
    `kubelet_node_name{node="${nodeName}"} 1`,
  ];
  const series = (name: string, type: string, value: (usage: ContainerUsage) => number): void => {
    lines.push(`# TYPE ${name} ${type}`);
    for (const { worker, containers } of measured) {
      const { namespace, name: pod } = podIdentity(worker.pod);
      for (const { name: container, usage } of containers) {
        const labels = `container="${container}",namespace="${namespace}",pod="${pod}"`;
        lines.push(`${name}{${labels}} ${value(usage)}`);
      }
    }
  };
  series('container_cpu_usage_seconds_total', 'counter', ({ cpuSeconds }) => cpuSeconds);
  series('container_memory_working_set_bytes', 'gauge', ({ memoryBytes }) => memoryBytes);
  return `${lines.join('\n')}\n`;
}
