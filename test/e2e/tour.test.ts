// The README's tour, command by command, in one shell, as a new user would type it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { freeOffset, root } from '#test/support/cluster.ts';
import { kubectlFolder } from '#test/support/kubectl.ts';

/** What the output of a command must show; commands that are not listed must only succeed. */
const expected: readonly (readonly [RegExp, RegExp])[] = [
  [/^\.\/strata up/, /master: ready[\s\S]*kubeconfig: /],
  [/get nodes/, /node-1 +Ready/],
  [/create deployment web/, /deployment\.apps\/web created/],
  [/rollout status/, /successfully rolled out/],
  [/^kubectl get pods -o wide/, /(web-\S+ +1\/1 +Running[\s\S]*){3}/],
  [/^kubectl exec/, /^colour blue$/m],
  [/rollout undo/, /rolled back/],
  [/get events/, /Scheduled/],
  [/strata run/, /^hello from a plain task$/m],
  [/kube create team-b/, /team-b: ready/],
  [/get pods$/, /^(?![\s\S]*web-)[\s\S]*other-\S+ +1\/1 +Running/],
  [/strata status/, /instance .* ready +team-b/],
];

function tourCommands(): string[] {
  const text = readFileSync(join(root, 'README.md'), 'utf8');
  const tour = text.slice(text.indexOf('## A five-minute tour'), text.indexOf('## What works'));
  return [...tour.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((match) =>
    (match[1] ?? '').split('\n').filter((line) => line.trim() !== ''),
  );
}

/** Feeds commands to one shell and splits what it prints by marks between them. */
class Shell {
  readonly #child;
  #output = '';
  #wake: () => void = () => {};

  constructor(env: Record<string, string>) {
    this.#child = spawn('bash', [], { cwd: root, env: { ...process.env, ...env }, stdio: 'pipe' });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => {
        this.#output += text;
        this.#wake();
      });
    }
  }

  async run(command: string, timeoutMs: number): Promise<{ status: number; output: string }> {
    this.#output = '';
    const mark = `--done-${process.pid}--`;
    this.#child.stdin.write(`${command}\necho "${mark}$?"\n`);
    const deadline = setTimeout(() => this.#child.kill('SIGKILL'), timeoutMs);
    const pattern = new RegExp(`${mark}(\\d+)\n`);
    while (!pattern.test(this.#output)) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) break;
      await new Promise<void>((done) => {
        this.#wake = done;
        this.#child.once('exit', () => done());
      });
    }
    clearTimeout(deadline);
    const status = Number(pattern.exec(this.#output)?.[1] ?? -1);
    return { status, output: this.#output.replace(pattern, '') };
  }

  close(): void {
    this.#child.stdin.end();
  }
}

test('the tour of the README, every command', { timeout: 600_000 }, async (t) => {
  const home = mkdtempSync(join(tmpdir(), 'strata-tour-'));
  const offset = await freeOffset();
  const tools = await kubectlFolder();
  const shell = new Shell({
    STRATA_HOME: home,
    STRATA_PORT_OFFSET: String(offset),
    STRATA_MASTER: `127.0.0.1:${5050 + offset}`,
    PATH: `${tools}:${process.env['PATH']}`,
  });
  try {
    for (const command of tourCommands()) {
      await t.test(command.slice(0, 70), async () => {
        const { status, output } = await shell.run(command, 240_000);
        assert.equal(status, 0, output);
        for (const [pattern, want] of expected)
          if (pattern.test(command)) assert.match(output, want);
      });
    }
  } finally {
    await shell.run('./strata down', 120_000);
    shell.close();
    rmSync(home, { recursive: true, force: true });
  }
});
