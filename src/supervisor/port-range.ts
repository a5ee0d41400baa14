// Which ports the agents of a home offer, when several homes share the machine's network: each has a range of
// its own, and holds it as long as its supervisor lives by listening on the range's last port.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { Fault } from '#base/fault.ts';

const PORTS_FIRST = 10_000;
const PORTS_PER_HOME = 500;
const HOMES_MAX = 40;

export interface PortRange {
  readonly first: number;
  /** Inclusive; the held port is behind it. */
  readonly last: number;
  release(): void;
}

function hold(port: number): Promise<Server | undefined> {
  return new Promise((done) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', () => done(undefined));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => done(server));
    server.unref();
  });
}

function keptIn(path: string): number | undefined {
  if (!existsSync(path)) return undefined;
  const slot = Number(readFileSync(path, 'utf8'));
  return Number.isInteger(slot) && slot >= 0 && slot < HOMES_MAX ? slot : undefined;
}

/**
 * The range that `path` names from before, else the one that follows from the port offset; the next
 * that nobody holds when another home has that. Rejects with Fault `no-ports` when all are held.
 */
export async function claimPorts(path: string, portOffset: number): Promise<PortRange> {
  const wanted = keptIn(path) ?? Math.floor(portOffset / 100) % HOMES_MAX;
  for (let step = 0; step < HOMES_MAX; step++) {
    const slot = (wanted + step) % HOMES_MAX;
    const first = PORTS_FIRST + slot * PORTS_PER_HOME;
    const held = first + PORTS_PER_HOME - 1;
    const server = await hold(held);
    if (server === undefined) continue;
    writeFileSync(path, String(slot));
    return { first, last: held - 1, release: () => void server.close() };
  }
  throw new Fault(
    { code: 'no-ports' },
    `Cannot start: all ${HOMES_MAX} ranges of ports for homes with a port offset are held`,
  );
}

/** The part of one agent of several, numbered from 1. */
export function agentPorts({ first, last }: PortRange, agents: number, number: number): string {
  const count = Math.floor((last - first + 1) / Math.max(1, agents));
  const from = first + (number - 1) * count;
  return `ports:[${from}-${from + count - 1}]`;
}
