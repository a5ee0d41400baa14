// What a master answers as every libprocess program does, whether it leads or not.
import type { MetricList } from '#mesos/libprocess/metric-list.ts';
import type { LogToggle } from '#mesos/libprocess/log-toggle.ts';
import { ProcessApi } from '#mesos/libprocess/process-api.ts';
import type { Approvers, Authorizer } from '#mesos/security/authorizer.ts';
import type { AttachedFiles } from './files.ts';
import { versionJson } from './legacy-views.ts';
import { ownPaths } from './routes.ts';

export interface MasterProcess {
  readonly version: string;
  readonly files: AttachedFiles;
  readonly logging: LogToggle;
  readonly metrics: () => MetricList;
  readonly authorizer: Authorizer;
}

/** The libprocess processes of a mesos-master. */
const processes = [
  'allocator',
  'files',
  'logging',
  'master',
  'metrics',
  'profiler',
  'registrar(1)',
  'system',
  'version',
];

export function processEndpoints({
  version,
  files,
  logging,
  metrics,
  authorizer,
}: MasterProcess): ProcessApi<Approvers> {
  return new ProcessApi<Approvers>({
    id: 'master',
    processes,
    endpoints: [...ownPaths].toSorted(),
    version: versionJson(version),
    files,
    logging,
    metrics,
    accessOf: ({ principal }) => authorizer.of(principal),
    mayAsk: (approvers, path) => approvers.may('GET_ENDPOINT_WITH_PATH', path),
  });
}
