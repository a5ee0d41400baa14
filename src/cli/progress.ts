// What `strata up` shows: on a terminal a live list of the parts, otherwise one plain line per change;
// when all are ready, the kubeconfigs and three commands to try next. Later changes are plain lines.
import type { WriteStream } from 'node:tty';
import type { PartSpec, PartState } from '#supervisor/core.ts';
import type { Home } from '#supervisor/home.ts';

export interface PartLine {
  readonly name: string;
  readonly state: string;
  readonly url?: string | undefined;
  readonly exit?: string | undefined;
}

export function lineOf(spec: PartSpec, state: PartState): PartLine {
  return {
    name: spec.name,
    state: state.kind,
    url: state.kind === 'ready' ? state.url : undefined,
    exit: state.kind === 'waiting' ? state.exit : undefined,
  };
}

function words({ state, url, exit }: PartLine): string {
  if (state === 'ready') return `ready at ${url ?? ''}`;
  if (state === 'waiting') return `ended, starts again soon (${exit ?? 'for an unknown reason'})`;
  return state;
}

export interface Progress {
  show(parts: readonly PartLine[], home: Home): void;
}

type Out = Pick<WriteStream, 'write'> & { readonly isTTY?: boolean; readonly columns?: number };

const marks: Readonly<Record<string, string>> = { ready: '✔', waiting: '✖', stopped: '·' };
const COLUMNS_DEFAULT = 80;
const NAME_COLUMNS = 16;

/** A line that wraps would put the cursor out of step. */
function cut(text: string, columns: number): string {
  return text.length < columns ? text : `${text.slice(0, Math.max(1, columns - 2))}…`;
}

/** `./strata` from inside the clone, by its path from elsewhere. */
function tryNext(home: Home): readonly string[] {
  const [first] = home.instances();
  if (first === undefined) {
    return ['./strata run --cpus 0.1 --mem 32 -- echo hello', './strata status', './strata down'];
  }
  return [
    `export KUBECONFIG=${home.kubeconfig(first.name)}`,
    'kubectl get nodes -o wide',
    `kubectl create deployment web --image=host -- sh -c 'while date; do sleep 5; done'`,
  ];
}

export function createProgress(out: Out): Progress {
  const isLive = out.isTTY === true;
  /** What was shown of each part last. */
  const last = new Map<string, string>();
  let drawn = 0;
  let isAnnounced = false;

  const drawLive = (lines: readonly PartLine[]): void => {
    // A terminal that does not know its size says 0.
    const columns = out.columns === 0 ? COLUMNS_DEFAULT : (out.columns ?? COLUMNS_DEFAULT);
    const rows = lines.map((line) => {
      const text = `  ${marks[line.state] ?? '…'} ${line.name.padEnd(NAME_COLUMNS)} ${words(line)}`;
      last.set(line.name, words(line));
      return `\u001b[2K${cut(text, columns)}\n`;
    });
    out.write((drawn > 0 ? `\u001b[${drawn}A` : '') + rows.join(''));
    drawn = lines.length;
  };

  const drawPlain = (lines: readonly PartLine[]): void => {
    for (const line of lines) {
      const text = words(line);
      if (last.get(line.name) === text) continue;
      last.set(line.name, text);
      out.write(`${line.name}: ${text}\n`);
    }
  };

  const announce = (home: Home): void => {
    isAnnounced = true;
    for (const { name } of home.instances()) out.write(`kubeconfig: ${home.kubeconfig(name)}\n`);
    out.write(
      `\nTry next:\n${tryNext(home)
        .map((line) => `  ${line}\n`)
        .join('')}`,
    );
  };

  return {
    show(lines, home) {
      if (isLive && !isAnnounced) drawLive(lines);
      else drawPlain(lines);
      const isReady = lines.length > 0 && lines.every(({ state }) => state === 'ready');
      if (isReady && !isAnnounced) announce(home);
    },
  };
}
