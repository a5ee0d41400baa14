// Processes on the virtual clock: what a command does is a small script instead of a program, and
// they outlive the host object that started them, as real ones outlive their starter.
import { Fault } from '#base/fault.ts';
import type { Clock, Timer, Timers } from '#env/env.ts';
import type {
  ExitStatus,
  HostProcess,
  ProcessHost,
  ProcessSpec,
  ProcessUsage,
  Signal,
} from '#env/process.ts';

/** What a simulated command does: live for a while (absent: for ever), then exit with a code. */
export interface SimProgram {
  readonly runsMs?: number | undefined;
  readonly code?: number | undefined;
  /** Signals that it ignores. */
  readonly ignores?: readonly Signal[] | undefined;
  /** It cannot be started at all. */
  readonly failsToStart?: boolean | undefined;
  /** Called when it starts and when it ends; a simulated executor lives here. */
  readonly onStart?: ((process: SimProcess) => void) | undefined;
  readonly onSignal?: ((process: SimProcess, signal: Signal) => void) | undefined;
  readonly onEnd?: ((process: SimProcess) => void) | undefined;
}

const SIGNAL_NUMBERS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGUSR2: 12,
  SIGTERM: 15,
};

/** `['sleep', SECONDS]` and `['exit', CODE]`; anything else runs until it is killed. */
export function plainProgram(spec: ProcessSpec): SimProgram {
  const [name, argument] = spec.argv;
  if (name === 'sleep') return { runsMs: Number(argument) * 1000, code: 0 };
  if (name === 'exit') return { runsMs: 0, code: Number(argument) };
  return {};
}

export class SimProcess implements HostProcess {
  readonly pid: number;
  readonly startedAt: number;
  readonly spec: ProcessSpec;
  readonly exited: Promise<ExitStatus>;
  ended: ExitStatus | undefined;
  readonly #program: SimProgram;
  readonly #clock: Clock;
  readonly #timer: Timer | undefined;
  #settle: (status: ExitStatus) => void = () => {};

  constructor(
    pid: number,
    spec: ProcessSpec,
    program: SimProgram,
    env: { clock: Clock; timers: Timers },
  ) {
    this.pid = pid;
    this.spec = spec;
    this.#program = program;
    this.#clock = env.clock;
    this.startedAt = env.clock.now();
    this.exited = new Promise((settle) => {
      this.#settle = settle;
    });
    if (program.runsMs !== undefined) {
      this.#timer = env.timers.after(program.runsMs, () => this.exit(program.code ?? 0));
    }
    program.onStart?.(this);
  }

  /** running -> ended, by itself. */
  exit(code: number): void {
    this.#end({ kind: 'exited', code, at: this.#clock.now() });
  }

  /** running -> ended, by a signal (or with its shim). */
  die(signal: number): void {
    this.#end({ kind: 'signaled', signal, at: this.#clock.now() });
  }

  kill(signal: Signal): void {
    if (this.ended !== undefined) return;
    this.#program.onSignal?.(this, signal);
    const isCatchable = signal !== 'SIGKILL' && signal !== 'SIGSTOP';
    if (isCatchable && (this.#program.ignores ?? []).includes(signal)) return;
    const number = SIGNAL_NUMBERS[signal];
    if (number !== undefined) this.die(number);
  }

  #end(status: ExitStatus): void {
    if (this.ended !== undefined) return;
    this.ended = status;
    this.#timer?.cancel();
    this.#settle(status);
    this.#program.onEnd?.(this);
  }
}

/** The processes of one simulated machine; they live as long as it does. */
export class SimMachine {
  readonly #processes = new Map<string, SimProcess>();
  readonly #env: { clock: Clock; timers: Timers };
  readonly #program: (spec: ProcessSpec) => SimProgram;
  #pid = 1000;

  constructor(
    env: { clock: Clock; timers: Timers },
    program: (spec: ProcessSpec) => SimProgram = plainProgram,
  ) {
    this.#env = env;
    this.#program = program;
  }

  /** A host as a freshly started process sees the machine. */
  host(): ProcessHost {
    return {
      launch: async (spec) => this.#launch(spec),
      adopt: async (stateFolder) => this.#processes.get(stateFolder),
      dispose: async (stateFolder) => {
        this.#processes.get(stateFolder)?.kill('SIGKILL');
        this.#processes.delete(stateFolder);
      },
      usage: async (stateFolder) => this.#usage(stateFolder),
      setLimits: () => {},
      controllers: new Set(),
      members: () => [],
      sweep: async () => {},
      settled: async () => {},
    };
  }

  /** Every process that was not disposed of, also ended ones. */
  processes(): readonly SimProcess[] {
    return [...this.#processes.values()];
  }

  /** Power loss: nothing runs any more and nothing is known of what ran. */
  reboot(): void {
    for (const process of this.#processes.values()) process.kill('SIGKILL');
    this.#processes.clear();
  }

  #launch(spec: ProcessSpec): SimProcess {
    const { stateFolder } = spec;
    if (this.#processes.has(stateFolder)) {
      throw new Fault(
        { code: 'process-exists', stateFolder },
        `Cannot start a process in "${stateFolder}": there is one already`,
      );
    }
    const program = this.#program(spec);
    if (program.failsToStart === true) {
      throw new Fault(
        { code: 'process-launch', stateFolder },
        `Cannot start "${spec.argv[0] ?? ''}": simulated`,
      );
    }
    this.#pid += 1;
    const process = new SimProcess(this.#pid, spec, program, this.#env);
    this.#processes.set(stateFolder, process);
    return process;
  }

  #usage(stateFolder: string): ProcessUsage | undefined {
    const process = this.#processes.get(stateFolder);
    if (process === undefined || process.ended !== undefined) return undefined;
    return { cpuSeconds: 0, memoryBytes: 1 << 20, processCount: 1 };
  }
}
