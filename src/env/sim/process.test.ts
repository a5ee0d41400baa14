// The simulated process host against the port's conformance suite.
import { processConformance } from '#env/conformance/process.ts';
import type { ProcessSpec } from '#env/process.ts';
import { SimClock } from './clock.ts';
import { plainProgram, SimMachine } from './process.ts';

processConformance('SimMachine', async () => {
  const clock = new SimClock();
  const program = (spec: ProcessSpec) => {
    if (spec.argv[0] === 'deaf') return { ignores: ['SIGTERM'] };
    return spec.argv[0] === 'broken' ? { failsToStart: true } : plainProgram(spec);
  };
  const machine = new SimMachine({ clock, timers: clock }, program);
  return {
    host: machine.host(),
    folder: '/run',
    successor: () => machine.host(),
    killShim: (stateFolder) => {
      machine
        .processes()
        .find((one) => one.spec.stateFolder === stateFolder)
        ?.die(9);
    },
    elapse: (ms) => clock.settle(ms),
    isDeaf: () => clock.settle(200),
    commands: {
      exitsWith: (code) => ['exit', String(code)],
      sleepsMs: (ms) => ['sleep', String(ms / 1000)],
      ignoresTerm: () => ['deaf'],
      cannotStart: () => ({ argv: ['broken'] }),
    },
  };
});
