// What containers are there and what they use, for GET_CONTAINERS, /containers and
// /monitor/statistics: the names of mesos.proto's ResourceStatistics.
import { availableParallelism, totalmem } from 'node:os';
import type { Instant } from '#env/env.ts';
import type { BlockIo, ProcessUsage } from '#env/process.ts';
import type {
  AgentResponse_GetContainers_Container,
  CgroupInfo_Blkio_Operation,
  CgroupInfo_Blkio_Statistics,
  CgroupInfo_Blkio_Value,
  Resource,
  PerfStatistics,
  ResourceStatistics,
} from '#wire/mesos/v1.ts';
import { type Executor, executorBounds, resourcesOf } from './agent-state.ts';
import type { Limits } from './executor-bounds.ts';
import { type ContainerPath, idOf } from './container-id.ts';
import type { Containers } from './containers.ts';
import type { DiskUsage } from './disk-watch.ts';
import type { AgentCore } from './core.ts';
import { scalarSum } from './metrics.ts';

const MB = 1024 * 1024;

export interface ContainerFilter {
  readonly nested: boolean;
  readonly standalone: boolean;
  /** Asked before anything is waited for: whose executor ended meanwhile would be nobody's. */
  readonly isSeen: (rootId: string) => boolean;
}

/** Without end is all that the machine has. */
const limitOf = (limit: number, all: number): number => (Number.isFinite(limit) ? limit : all);

function statisticsOf(
  usage: ProcessUsage | undefined,
  resources: readonly Resource[],
  limits: Limits,
  now: Instant,
): ResourceStatistics {
  const timestamp = now / 1000;
  const [cpus, mem] = [scalarSum(resources, 'cpus'), scalarSum(resources, 'mem')];
  const cpusMax = limitOf(limits['cpus']?.value ?? cpus, availableParallelism());
  const memBytesMax = limitOf((limits['mem']?.value ?? mem) * MB, totalmem());
  const bounds = {
    ...(resources.length === 0 ? {} : { cpus_limit: cpusMax, cpus_soft_limit: cpus }),
    ...(mem === 0 ? {} : { mem_limit_bytes: memBytesMax, mem_soft_limit_bytes: mem * MB }),
  };
  if (usage === undefined) return { timestamp, ...bounds };
  const { detail } = usage;
  return {
    timestamp,
    ...bounds,
    processes: usage.processCount,
    mem_total_bytes: usage.memoryBytes,
    cpus_user_time_secs: detail?.cpuUserSeconds ?? usage.cpuSeconds,
    cpus_system_time_secs: detail?.cpuSystemSeconds ?? 0,
    mem_rss_bytes: detail?.anonymousBytes ?? usage.memoryBytes,
    ...(detail === undefined
      ? {}
      : {
          cpus_nr_periods: detail.quotaPeriods,
          cpus_nr_throttled: detail.throttledPeriods,
          cpus_throttled_time_secs: detail.throttledSeconds,
          mem_anon_bytes: detail.anonymousBytes,
          mem_cache_bytes: detail.cacheBytes,
          mem_file_bytes: detail.cacheBytes,
          mem_mapped_file_bytes: detail.mappedBytes,
          mem_swap_bytes: detail.swapBytes,
          ...(detail.blockIo === undefined ? {} : { blkio_statistics: blockIoOf(detail.blockIo) }),
        }),
  };
}

function blockIoOf(devices: readonly BlockIo[]): CgroupInfo_Blkio_Statistics {
  const values = (counts: Readonly<Record<string, number>>): CgroupInfo_Blkio_Value[] =>
    Object.entries(counts).map(([kind, value]) => ({
      op: kind.toUpperCase() as CgroupInfo_Blkio_Operation,
      value,
    }));
  return {
    throttling: devices.map(({ major, minor, serviced, bytes }) => ({
      device: { major_number: major, minor_number: minor },
      io_serviced: values(serviced),
      io_service_bytes: values(bytes),
    })),
  };
}

function diskOf(usage: DiskUsage | undefined): Partial<ResourceStatistics> {
  if (usage === undefined) return {};
  const { limitBytes, usedBytes, volumes } = usage;
  return {
    disk_limit_bytes: limitBytes,
    ...(usedBytes === undefined ? {} : { disk_used_bytes: usedBytes }),
    ...(volumes.length === 0 ? {} : { disk_statistics: [...volumes] }),
  };
}

function perfOf(perf: PerfStatistics | undefined): Partial<ResourceStatistics> {
  return perf === undefined ? {} : { perf };
}

interface Listed {
  readonly path: ContainerPath;
  readonly pid: number | undefined;
}

/** Every container that lives and that the caller may see, those of executors first. */
export async function listContainers(
  core: AgentCore,
  containers: Containers,
  filter: ContainerFilter,
  now: Instant,
): Promise<AgentResponse_GetContainers_Container[]> {
  const executors = core.workloads.executors().filter((one) => one.state !== 'terminated');
  const byId = new Map<string, Executor>(executors.map((one) => [one.containerId, one]));
  const tops: Listed[] = executors.map((one) => ({ path: [one.containerId], pid: one.pid }));
  const others = [...containers.taskContainers(), ...containers.nested.paths()].filter(({ path }) =>
    path.length === 1 ? filter.standalone : filter.nested,
  );
  const seen = [...tops, ...others].filter(({ path }) => filter.isSeen(path[0] ?? ''));
  return Promise.all(
    seen.map(async ({ path, pid }) => {
      const executor = byId.get(path[0] ?? '');
      const usage = await containers.usage(path);
      const own = path.length === 1 ? executor : undefined;
      const resources = own === undefined ? [] : resourcesOf(own);
      const limits = own === undefined ? {} : executorBounds(own);
      const container_id = idOf(path);
      const networks = containers.networksOf(path);
      const classid = containers.netClassOf(path);
      return {
        ...(executor === undefined
          ? {}
          : {
              framework_id: { value: executor.key.frameworkId },
              executor_id: { value: executor.key.executorId },
              executor_name: executor.info.name ?? '',
            }),
        container_id,
        container_status: {
          container_id,
          ...(pid === undefined ? {} : { executor_pid: pid }),
          ...(networks === undefined ? {} : { network_infos: [...networks] }),
          ...(classid === undefined ? {} : { cgroup_info: { net_cls: { classid } } }),
        },
        resource_statistics: {
          ...statisticsOf(usage, resources, limits, now),
          ...perfOf(path.length === 1 ? containers.perf.of(path[0] ?? '') : undefined),
          ...diskOf(path.length === 1 ? containers.disk.usageOf(path[0] ?? '') : undefined),
        },
      };
    }),
  );
}
