// When an agent begins to have work: the first process that is launched, or found running.
import type { ProcessHost } from '#env/process.ts';

/** The same host; `then` is called once, before the first launch or when a process of before has been found. */
export function onFirstProcess(host: ProcessHost, then: () => void): ProcessHost {
  let isFirst = true;
  const tell = (): void => {
    if (isFirst) then();
    isFirst = false;
  };
  return {
    controllers: host.controllers,
    launch(spec) {
      tell();
      return host.launch(spec);
    },
    async adopt(stateFolder) {
      const found = await host.adopt(stateFolder);
      if (found !== undefined) tell();
      return found;
    },
    dispose: (stateFolder) => host.dispose(stateFolder),
    usage: (stateFolder) => host.usage(stateFolder),
    members: (cgroup) => host.members(cgroup),
    setLimits: (stateFolder, limits) => host.setLimits(stateFolder, limits),
    sweep: (cgroup, others) => host.sweep(cgroup, others),
    settled: (above) => host.settled(above),
  };
}
