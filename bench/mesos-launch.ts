// Launches: from the ACCEPT to TASK_RUNNING, each update acknowledged; one and five tasks a call. The agents
// are the generator's, so that the master is what is measured.
import type { Benchmark, Measure } from './benchmark.ts';
import {
  expectEqual,
  higher,
  loadMaster,
  lower,
  missingMesos,
  numberOf,
  stepsOf,
} from './mesos-master.ts';

export const mesosLaunch: Benchmark = {
  name: 'mesos-launch',
  about: '5,000 tasks by one a call, then 20,000 by five a call, on 10,000 agents',
  peer: 'Mesos',
  missing: missingMesos,
  async measure(side, size) {
    const isFull = size === 'full';
    const agents = isFull ? 10_000 : 200;
    const [singles, fives] = isFull ? [5_000, 20_000] : [100, 500];
    const shapes = [
      { tasks: singles, percall: 1 },
      { tasks: fives, percall: 5 },
    ];
    const steps = await loadMaster(side, {
      agents,
      steps: shapes.map(({ tasks, percall }) => `launch:${tasks}:${percall}`),
    });
    const launches = stepsOf(steps, 'launch');
    return shapes.flatMap(({ tasks, percall }, index): Measure[] => {
      const launch = launches[index];
      if (launch === undefined) throw new Error(`no launch of ${percall} a call`);
      expectEqual('tasks that run', launch['tasks'], tasks);
      expectEqual('updates of other states', launch['bad'], 0);
      const suffix = `, ${percall} a call`;
      return [
        higher(`tasks running${suffix}`, numberOf(launch, 'tasks_per_s'), '/s', 3),
        higher(`tasks acknowledged${suffix}`, numberOf(launch, 'tasks_acked_per_s'), '/s', 3),
        lower(`processor time a task${suffix}`, numberOf(launch, 'cpu_ms_per_task'), 'ms', 3),
        lower(`p99 to running${suffix}`, numberOf(launch, 'latency_s_p99'), 's'),
      ];
    });
  },
};
