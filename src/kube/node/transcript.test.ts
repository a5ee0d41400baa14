// Replays scenarios/node/*.txt: what a pod core is told, and what it answers, line by line.
// With STRATA_UPDATE_SCENARIOS=1 the answers are written anew.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { PodCore } from './pod-core.ts';
import type { Pod, PodSpec } from './pod-spec.ts';
import type { ContainerStatus, PodEffect, PodInput, ProbeKind } from './pod-state.ts';

const folder = fileURLToPath(new URL('../../../scenarios/node/', import.meta.url));
const begin = Date.parse('2026-01-01T00:00:00Z');

function showEffect(effect: PodEffect): string {
  if (effect.kind === 'event') {
    const about = effect.name === undefined ? '' : ` ${effect.name}`;
    return `event ${effect.type} ${effect.reason}${about}: ${effect.message}`;
  }
  const { kind, ...rest } = effect;
  return [kind, ...Object.values(rest).map(String)].join(' ');
}

function showContainer({ name, state, ready, restartCount }: ContainerStatus): string {
  const [[kind = '', value] = []] = Object.entries(state) as [string, Record<string, unknown>][];
  const detail = kind === 'running' ? '' : `:${String(value?.['reason'])}`;
  const code = kind === 'terminated' ? `(${String(value?.['exitCode'])})` : '';
  return `${name}=${kind}${detail}${code}${ready ? ' ready' : ''} restarts=${restartCount}`;
}

class Player {
  #core: PodCore;
  #pod: Pod;
  #now = begin;
  #shown = '';

  constructor(spec: PodSpec) {
    const metadata = { name: 'web', namespace: 'default', uid: 'u1', generation: 1 };
    this.#pod = { apiVersion: 'v1', kind: 'Pod', metadata, spec };
    this.#core = new PodCore(this.#pod, undefined, begin);
  }

  play(line: string): string[] {
    const [command = '', ...args] = line.split(/\s+/);
    if (command === 'wait') return this.#wait(Number(args[0]?.replace('s', '')) * 1000);
    if (command === 'restart-executor') {
      this.#core = new PodCore(this.#pod, structuredClone(this.#core.state), this.#now);
      return this.#answer(this.#core.handle({ kind: 'pod' }, this.#now));
    }
    if (command === 'delete') {
      const deletionGracePeriodSeconds = Number(args[0]);
      const deletionTimestamp = new Date(this.#now).toISOString();
      const metadata = { ...this.#pod.metadata, deletionTimestamp, deletionGracePeriodSeconds };
      this.#pod = { ...this.#pod, metadata };
      return this.#answer(this.#core.setPod(this.#pod, this.#now));
    }
    return this.#answer(this.#core.handle(this.#input(command, args), this.#now));
  }

  #attempt(name: string): number {
    return this.#core.state.containers.find((each) => each.name === name)?.attempt ?? 0;
  }

  #input(command: string, [name = '', second = '', ...rest]: string[]): PodInput {
    const attempt = this.#attempt(name);
    const at = this.#now;
    switch (command) {
      case 'sync':
        return { kind: 'tick' };
      case 'prepared':
        return { kind: 'prepared', ips: ['10.0.0.2'] };
      case 'prepare-failed':
        return { kind: 'prepare-failed', reason: name, message: [second, ...rest].join(' ') };
      case 'started':
        return { kind: 'started', name, attempt: attempt + 1, containerId: `${name}-id`, at };
      case 'start-failed':
        return {
          kind: 'start-failed',
          name,
          stage: second as 'run',
          reason: rest[0] ?? '',
          message: rest.slice(1).join(' '),
        };
      case 'exited':
        return {
          kind: 'exited',
          name,
          attempt,
          exitCode: Number(second),
          oom: rest[0] === 'oom',
          at,
        };
      case 'hook-done':
        return { kind: 'hook', name, attempt, hook: second as 'preStop', failure: rest[0] };
      case 'probe': {
        const [outcome = '', ...words] = rest;
        const probe = second as ProbeKind;
        const message = words.join(' ');
        return { kind: 'probe', name, attempt, probe, outcome: outcome as 'success', message };
      }
      case 'kill':
        return { kind: 'kill', reason: 'Evicted', message: 'the task was killed' };
      case 'torn-down':
        return { kind: 'torn-down' };
      default:
        throw new Error(`Unknown command "${command}"`);
    }
  }

  /** Wakes whenever the core asks for it, as its shell does. */
  #wait(ms: number): string[] {
    const lines: string[] = [];
    const end = this.#now + ms;
    for (;;) {
      const at = this.#core.wakeAt();
      if (at === undefined || at > end) break;
      this.#now = Math.max(this.#now, at);
      const answer = this.#answer(this.#core.handle({ kind: 'tick' }, this.#now));
      const seconds = (this.#now - begin) / 1000;
      lines.push(...answer.map((line) => `@${seconds}s ${line}`));
      assert.ok(answer.length > 0 || this.#core.wakeAt() !== at, 'the core wakes for nothing');
    }
    this.#now = end;
    return lines;
  }

  #answer(effects: readonly PodEffect[]): string[] {
    const lines = effects.map(showEffect);
    const status = this.#core.status({ hostIps: ['10.0.0.1'] });
    const init = (status['initContainerStatuses'] ?? []) as ContainerStatus[];
    const ready = status.conditions.find(({ type }) => type === 'Ready')?.status === 'True';
    const shown = [
      `status ${status.phase}${ready ? ' Ready' : ''}`,
      ...[...init, ...status.containerStatuses].map(showContainer),
    ].join(' | ');
    if (shown !== this.#shown) lines.push(shown);
    this.#shown = shown;
    return lines;
  }
}

interface Step {
  readonly command: string;
  readonly answer: readonly string[];
}

function parseScenario(text: string): { head: string; spec: PodSpec; steps: Step[] } {
  const [head = '', body = ''] = text.split(/^----\n/m);
  const steps: { command: string; answer: string[] }[] = [];
  for (const line of body.split('\n')) {
    if (line.startsWith('> ')) steps.push({ command: line.slice(2), answer: [] });
    else if (line.trim() !== '') steps.at(-1)?.answer.push(line.trim());
  }
  return { head, spec: parse(head) as PodSpec, steps };
}

for (const name of readdirSync(folder)) {
  test(`PodCore plays scenarios/node/${name}`, () => {
    const path = join(folder, name);
    const { head, spec, steps } = parseScenario(readFileSync(path, 'utf8'));
    const player = new Player(spec);
    const played = steps.map(({ command }) => ({ command, answer: player.play(command) }));
    if (process.env['STRATA_UPDATE_SCENARIOS'] === '1') {
      const lines = played.map(({ command, answer }) =>
        [`> ${command}`, ...answer.map((line) => `  ${line}`)].join('\n'),
      );
      writeFileSync(path, `${head}----\n${lines.join('\n')}\n`);
      return;
    }
    assert.deepEqual(played, steps);
  });
}
