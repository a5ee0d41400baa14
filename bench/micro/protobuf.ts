// Our protobuf codec beside protobufjs on the messages that are sent most, in one run.
// `node bench/micro/protobuf.ts [SECONDS]` prints microseconds for each message and codec.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import protobufjs from 'protobufjs';
import { decode, encode, parseJson, stringify, type MessageName } from '#wire/mesos/codec.ts';
import type { Messages, Offer, Resource } from '#wire/mesos/v1.ts';

const protos = join(import.meta.dirname, '../../src/wire/mesos');

function resources(role: string): Resource[] {
  const allocation_info = { role };
  const scalar = (name: string, value: number): Resource => ({
    name,
    type: 'SCALAR',
    scalar: { value },
    allocation_info,
  });
  const ranges = { range: [{ begin: 31_000, end: 32_000 }] };
  return [
    scalar('cpus', 4),
    scalar('mem', 4_096),
    scalar('disk', 10_000),
    { name: 'ports', type: 'RANGES', ranges, allocation_info },
  ];
}

function offer(i: number): Offer {
  const id = '6b3c7b6e-43bd-4e1b-9a2f-1f5cf1d6e0aa';
  const hostname = `host-${i}.example`;
  return {
    id: { value: `${id}-O${i}` },
    framework_id: { value: `${id}-0000` },
    agent_id: { value: `${id}-S${i}` },
    hostname,
    url: { scheme: 'http', address: { hostname, ip: '10.0.0.2', port: 5051 }, path: '/slave(1)' },
    resources: resources('kube/default'),
    attributes: [{ name: 'rack', type: 'TEXT', text: { value: 'a' } }],
    allocation_info: { role: 'kube/default' },
  };
}

export const samples: {
  readonly [N in 'SchedulerEvent' | 'StatusUpdateMessage' | 'RunTaskMessage']: Messages[N];
} = {
  SchedulerEvent: {
    type: 'OFFERS',
    offers: { offers: Array.from({ length: 100 }, (_, i) => offer(i)) },
  },
  StatusUpdateMessage: {
    update: {
      framework_id: { value: 'framework-0000' },
      agent_id: { value: 'agent-S0' },
      executor_id: { value: 'executor' },
      status: {
        task_id: { value: 'task-1' },
        state: 'TASK_RUNNING',
        source: 'SOURCE_EXECUTOR',
        agent_id: { value: 'agent-S0' },
        timestamp: 1_700_000_000.5,
        uuid: new Uint8Array(16).fill(7),
        container_status: { container_id: { value: 'container' } },
      },
      timestamp: 1_700_000_000.5,
      uuid: new Uint8Array(16).fill(7),
      latest_state: 'TASK_RUNNING',
    },
    pid: 'slave(1)@10.0.0.2:5051',
  },
  RunTaskMessage: {
    framework: { user: 'root', name: 'f', id: { value: 'framework-0000' }, roles: ['r'] },
    task: {
      name: 'task',
      task_id: { value: 'task-1' },
      agent_id: { value: 'agent-S0' },
      resources: resources('r'),
      command: {
        value: 'exec sleep 100',
        environment: { variables: [{ name: 'A', type: 'VALUE', value: 'b'.repeat(100) }] },
      },
    },
    pid: '',
  },
};

const theirNames = {
  SchedulerEvent: 'mesos.v1.scheduler.Event',
  StatusUpdateMessage: 'mesos.internal.StatusUpdateMessage',
  RunTaskMessage: 'mesos.internal.RunTaskMessage',
};

function theirTypes(): protobufjs.Root {
  const root = new protobufjs.Root();
  for (const name of readdirSync(protos).filter((one) => one.endsWith('.proto'))) {
    const text = readFileSync(join(protos, name), 'utf8').replaceAll(/^import .*$/gm, '');
    protobufjs.parse(text, root, { keepCase: true });
  }
  root.resolveAll();
  return root;
}

/** Microseconds that this thread has had of a processor: what others have of it meanwhile does not count. */
function threadUs(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

/** Microseconds of one call, the best of five rounds. */
function time(seconds: number, run: () => unknown): number {
  let best = Infinity;
  for (let round = 0; round < 5; round++) {
    const end = performance.now() + (seconds * 1_000) / 5;
    const start = threadUs();
    let count = 0;
    do {
      for (let i = 0; i < 10; i++) run();
      count += 10;
    } while (performance.now() < end);
    best = Math.min(best, (threadUs() - start) / count);
  }
  return best;
}

export interface Figures {
  readonly message: string;
  readonly bytes: number;
  readonly jsonBytes: number;
  /** Microseconds of the processor. Those of protobufjs begin and end with the same plain objects as ours. */
  readonly us: Readonly<Record<string, number>>;
}

export function measure(seconds: number): Figures[] {
  const root = theirTypes();
  return (Object.keys(samples) as (keyof typeof samples)[]).map((name: MessageName) => {
    const value = samples[name as keyof typeof samples] as Messages[typeof name];
    const type = root.lookupType(theirNames[name as keyof typeof theirNames]);
    const bytes = encode(name, value);
    const text = stringify(name, value);
    const toTheirs = () => type.encode(type.fromObject(value as object)).finish();
    const fromTheirs = () =>
      type.toObject(type.decode(bytes), { enums: String, bytes: Uint8Array });
    if (!Buffer.from(toTheirs()).equals(bytes)) throw new Error(`${name}: the bytes differ`);
    return {
      message: name,
      bytes: bytes.length,
      jsonBytes: text.length,
      us: {
        encode: time(seconds, () => encode(name, value)),
        decode: time(seconds, () => decode(name, bytes)),
        'protobufjs encode': time(seconds, toTheirs),
        'protobufjs decode': time(seconds, fromTheirs),
        'to JSON': time(seconds, () => stringify(name, value)),
        'from JSON, checked': time(seconds, () => parseJson(name, text)),
        'JSON.parse alone': time(seconds, () => JSON.parse(text)),
      },
    };
  });
}

if (import.meta.main) {
  for (const { message, bytes, jsonBytes, us } of measure(Number(process.argv[2] ?? 1))) {
    const numbers = Object.entries(us).map(([what, value]) => `${what} ${value.toFixed(1)}`);
    process.stdout.write(
      `${message} (${bytes} B, JSON ${jsonBytes} B), µs: ${numbers.join(', ')}\n`,
    );
  }
}
