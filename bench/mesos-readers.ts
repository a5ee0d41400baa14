// Reads while offers flow: clients read /state over and over, and a framework is offered what it gives
// back. The design wants 50 ms at the 99th percentile on a machine of its own.
import { join } from 'node:path';
import { median, type Benchmark, type Measure } from './benchmark.ts';
import { holdMaster } from './mesos-held.ts';
import { higher, lower, missingMesos } from './mesos-master.ts';
import { OfferProbe } from './offer-probe.ts';
import { Program, residentMb } from './program.ts';
import { quantile } from '#test/support/quantile.ts';

const CLIENTS = 20;

interface Read {
  readonly reads: number;
  readonly bytes: number;
  readonly window_s: number;
  readonly max_s: number;
}

export const mesosReaders: Benchmark = {
  name: 'mesos-readers',
  about: 'offers to one framework while 20 clients read /state of 10,000 agents and 50,000 tasks',
  peer: 'Mesos',
  missing: missingMesos,
  async measure(side, size) {
    const isFull = size === 'full';
    const [agents, tasks, windowMs] = isFull ? [10_000, 50_000, 20_000] : [200, 1_000, 2_000];
    await using held = await holdMaster(side, { agents, tasks });
    using probe = new OfferProbe(held.port);
    const alone = await probe.measure(windowMs / 4);
    const script = join(import.meta.dirname, 'reading-clients.ts');
    const arguments_ = [String(held.port), '/state', String(CLIENTS)];
    const readers = new Program({ command: () => [process.execPath, script, ...arguments_] });
    let read: Read;
    let beside: number[];
    try {
      await readers.ready(() => Promise.resolve(readers.log().includes('"reading"')));
      beside = await probe.measure(windowMs);
      read = await lastLine(readers);
    } finally {
      await readers[Symbol.asyncDispose]();
    }
    if (read.reads === 0) throw new Error('nobody has read anything');
    if (read.bytes / read.reads < agents * 100) throw new Error('what was read is too short');
    const rates: Measure[] = [
      higher('answers read', read.reads / read.window_s, '/s', 10),
      lower('longest read', read.max_s, 's'),
    ];
    return [
      lower('an offer, p99', quantile(beside, 0.99) ?? Number.NaN, 'ms'),
      lower('an offer, median', median(beside) ?? Number.NaN, 'ms'),
      lower('an offer with no readers, median', median(alone) ?? Number.NaN, 'ms'),
      ...rates,
      lower('resident memory', residentMb(held.master.pid), 'MB', 2),
    ];
  },
};

async function lastLine(readers: Program): Promise<Read> {
  readers.stop();
  await readers.ended;
  const line = readers
    .log()
    .split('\n')
    .find((one) => one.includes('"read"'));
  if (line === undefined) throw new Error(`The readers ended: ${readers.log()}`);
  return JSON.parse(line) as Read;
}
