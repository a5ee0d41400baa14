// What an instance keeps about its nodes over restarts: the executor's exact description (it must not
// change while the executor runs), its kubelet port and its pod range. One file per node.
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fromJson, toJson } from '#wire/mesos/codec.ts';
import type { ExecutorInfo } from '#wire/mesos/v1.ts';

export interface NodeRecord {
  readonly nodeName: string;
  readonly agentId: string;
  readonly kubeletPort: number;
  readonly podCidr: string;
  /** JSON of the ExecutorInfo, as it was launched. */
  readonly executor: ExecutorInfo;
}

const SUBNET_SIZE = 256;
const SUBNETS = 'subnets.json';

/** The n-th /24 of a range. */
export function subnetAt(cidr: string, index: number): string {
  const [base = '10.0.0.0'] = cidr.split('/');
  const number =
    base.split('.').reduce((sum, part) => sum * 256 + Number(part), 0) + index * SUBNET_SIZE;
  const text = [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
  return `${text}/24`;
}

export class NodeRecords {
  readonly #folder: string;
  readonly #podCidr: string;
  readonly #subnets: Record<string, number>;

  constructor(folder: string, podCidr: string) {
    this.#folder = folder;
    this.#podCidr = podCidr;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#subnets = this.#read<Record<string, number>>(SUBNETS) ?? {};
  }

  /** Every node has its own part of the instance's pod range, for ever. */
  podCidr(nodeName: string): string {
    let index = this.#subnets[nodeName];
    if (index === undefined) {
      index = Object.keys(this.#subnets).length;
      this.#subnets[nodeName] = index;
      this.#write(SUBNETS, this.#subnets);
    }
    return subnetAt(this.#podCidr, index);
  }

  get(nodeName: string): NodeRecord | undefined {
    const found = this.#read<NodeRecord>(`${nodeName}.json`);
    // Bytes are base64 in the file.
    return found && { ...found, executor: fromJson('ExecutorInfo', found.executor) };
  }

  list(): NodeRecord[] {
    return readdirSync(this.#folder)
      .filter((name) => name.endsWith('.json') && name !== SUBNETS)
      .flatMap((name) => this.get(name.slice(0, -'.json'.length)) ?? []);
  }

  put(record: NodeRecord): void {
    const executor = toJson('ExecutorInfo', record.executor);
    this.#write(`${record.nodeName}.json`, { ...record, executor });
  }

  #read<T>(name: string): T | undefined {
    const path = join(this.#folder, name);
    return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as T) : undefined;
  }

  #write(name: string, value: unknown): void {
    const path = join(this.#folder, name);
    writeFileSync(`${path}.tmp`, JSON.stringify(value), { mode: 0o600 });
    renameSync(`${path}.tmp`, path);
  }
}
