// An agent that kills itself, as a power cut of its process would: before or after a certain write of its
// disk, or a certain step of its process host. The ports are the real ones.
// Arguments: master HOST:PORT, home, port, crash point (or 'never').
import type { Disk } from '#env/disk.ts';
import { systemDisk } from '#env/node/disk.ts';
import { createEnv } from '#env/node/env.ts';
import { createProcessHost } from '#env/node/process-host.ts';
import type { ProcessHost } from '#env/process.ts';
import { startAgent } from '#mesos/agent/service.ts';
import { detectMaster } from '#mesos/election/master-address.ts';
import { parseResources } from '#mesos/resources/parse.ts';
import { prepareFolder } from '#supervisor/folder.ts';
import { join } from 'node:path';
import { parseCrashPoint } from './crash-point.ts';

const [master = '', home = '', port = '0', pointText = 'never'] = process.argv.slice(2);
const point = parseCrashPoint(pointText);
const env = createEnv({ component: 'agent', logLevel: 'info', logFormat: 'text' });
const steps = { disk: 0, process: 0 };

/** Does a step, and dies at the right one of them. */
async function step<T>(port: 'disk' | 'process', work: () => Promise<T>): Promise<T> {
  steps[port] += 1;
  const isThis = point?.port === port && point.step === steps[port];
  if (isThis && point.when === 'before') process.kill(process.pid, 'SIGKILL');
  const made = await work();
  if (isThis) process.kill(process.pid, 'SIGKILL');
  return made;
}

const disk: Disk = {
  read: (path) => systemDisk.read(path),
  list: (path) => systemDisk.list(path),
  makeFolder: (path, options) => step('disk', () => systemDisk.makeFolder(path, options)),
  writeAtomic: (path, bytes, options) =>
    step('disk', () => systemDisk.writeAtomic(path, bytes, options)),
  replace: (path, bytes, options) => step('disk', () => systemDisk.replace(path, bytes, options)),
  sync: (...paths) => step('disk', () => systemDisk.sync(...paths)),
  link: (path, target) => step('disk', () => systemDisk.link(path, target)),
  readLink: (path) => systemDisk.readLink(path),
  append: (path, bytes) => step('disk', () => systemDisk.append(path, bytes)),
  remove: (path) => step('disk', () => systemDisk.remove(path)),
};

const real = createProcessHost(env);
const host: ProcessHost = {
  controllers: real.controllers,
  sweep: (cgroup) => step('process', () => real.sweep(cgroup)),
  launch: (spec) => step('process', () => real.launch(spec)),
  adopt: (folder) => step('process', () => real.adopt(folder)),
  dispose: (folder) => step('process', () => real.dispose(folder)),
  usage: (folder) => real.usage(folder),
  members: (cgroup) => real.members(cgroup),
  setLimits: (folder, limits) => real.setLimits(folder, limits),
  settled: () => real.settled(),
};

prepareFolder(home, { mode: 0o711 });
prepareFolder(join(home, 'run'));
const resources = 'cpus:100;mem:100000;disk:10000';
const running = await startAgent(
  {
    masterAddress: undefined,
    workFolder: home,
    host: '127.0.0.1',
    port: Number(port),
    hostname: 'dying',
    resources: parseResources(resources),
    attributes: [],
    flags: {},
  },
  { env, disk, host },
);
await detectMaster(master, (address) => running.shell.masterDetected(address), env);
