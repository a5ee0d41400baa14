// What `strata up` shows: on a terminal a live list of the parts, otherwise one plain line per change;
// when all are ready, the kubeconfig and three commands to try next.
import type { WriteStream } from 'node:tty';
import type { PartSpec, PartState } from '#supervisor/core.ts';
import type { Home } from '#supervisor/home.ts';

interface Line {
  readonly name: string;
  readonly state: string;
  readonly url?: string | undefined;
}

type Shown = Line | { readonly spec: PartSpec; readonly state: PartState };

function lineOf(shown: Shown): Line {
  if (!('spec' in shown)) return shown;
  const { spec, state } = shown;
  return {
    name: spec.name,
    state: state.kind,
    url: state.kind === 'ready' ? state.url : undefined,
  };
}

function words(line: Line): string {
  if (line.state === 'ready') return `ready at ${line.url ?? ''}`;
  if (line.state === 'waiting') return 'ended, starts again soon';
  return line.state;
}

export interface Progress {
  show(parts: readonly Shown[], home: Home): void;
  close(): void;
}

export function createProgress(out: WriteStream | NodeJS.WriteStream): Progress {
  const live = out.isTTY === true;
  const last = new Map<string, string>();
  let drawn = 0;
  let announced = false;
  const marks: Record<string, string> = { ready: '✔', waiting: '✖', stopped: '·' };

  const drawLive = (lines: readonly Line[]): void => {
    const up = drawn > 0 ? `\u001b[${drawn}A` : '';
    const text = lines
      .map(
        (line) => `\u001b[2K  ${marks[line.state] ?? '…'} ${line.name.padEnd(16)} ${words(line)}\n`,
      )
      .join('');
    out.write(up + text);
    drawn = announced ? 0 : lines.length;
  };

  const drawPlain = (lines: readonly Line[]): void => {
    for (const line of lines) {
      const text = words(line);
      if (last.get(line.name) === text) continue;
      last.set(line.name, text);
      out.write(`${line.name}: ${text}\n`);
    }
  };

  const announce = (home: Home): void => {
    announced = true;
    drawn = 0;
    const kubeconfigs = home.instances().map((instance) => home.kubeconfig(instance.name));
    for (const path of kubeconfigs) out.write(`kubeconfig: ${path}\n`);
    const first = kubeconfigs[0];
    out.write('\nTry next:\n');
    if (first === undefined) {
      out.write(
        '  ./strata run --cpus 0.1 --mem 32 -- echo hello\n  ./strata status\n  ./strata down\n',
      );
      return;
    }
    out.write(`  export KUBECONFIG=${first}\n`);
    out.write('  kubectl get nodes -o wide\n');
    out.write(
      `  kubectl create deployment web --image=host -- sh -c 'while date; do sleep 5; done'\n`,
    );
  };

  return {
    show(parts, home) {
      const lines = parts.map(lineOf);
      if (live && !announced) drawLive(lines);
      else drawPlain(lines);
      const ready = lines.length > 0 && lines.every((line) => line.state === 'ready');
      if (ready && !announced) announce(home);
    },
    close() {},
  };
}
