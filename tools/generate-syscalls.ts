// Generates src/mesos/executor/syscall-numbers.ts from the tables of golang.org/x/sys/unix, which are
// made from the kernel's own headers. `node tools/generate-syscalls.ts FOLDER` writes it.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2];
if (folder === undefined)
  throw new Error('usage: generate-syscalls.ts FOLDER/golang.org/x/sys/unix');
const target = join(import.meta.dirname, '../src/mesos/executor/syscall-numbers.ts');
const COLUMNS = 96;

function tableOf(file: string): Map<string, number> {
  const text = readFileSync(join(folder as string, file), 'utf8');
  const lines = text.matchAll(/^\tSYS_(\w+)\s*=\s*(\d+)$/gm);
  return new Map([...lines].map(([, name = '', number]) => [name.toLowerCase(), Number(number)]));
}

function wrapped(words: readonly string[]): string {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > COLUMNS) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return `\`\n${lines.join('\n')}\n\``;
}

/** Names in the order of their numbers; a number is written where it does not follow the last one. */
function words(table: ReadonlyMap<string, number>): string[] {
  let next = 0;
  return [...table]
    .toSorted((a, b) => a[1] - b[1])
    .map(([name, number]) => {
      const word = number === next ? name : `${number}=${name}`;
      next = number + 1;
      return word;
    });
}

const own = { x64: tableOf('zsysnum_linux_amd64.go'), arm64: tableOf('zsysnum_linux_arm64.go') };
// Go's name for it is not the kernel's.
own.arm64.set('newfstatat', own.arm64.get('fstatat') ?? 79);
const all = readdirSync(folder)
  .filter((name) => /^zsysnum_linux_\w+\.go$/.test(name))
  .flatMap((name) => [...tableOf(name).keys()]);
const elsewhere = [...new Set(all)].filter((name) => !own.x64.has(name)).toSorted();

writeFileSync(
  target,
  `// Made by tools/generate-syscalls.ts: the numbers of Linux system calls on the machines that seccomp
// programs are made for, and the names that only others have.

/** Each name has the number after that of the one before it, or its own before an equals sign. */
export const SYSCALLS: Readonly<Record<string, string>> = {
  x64: ${wrapped(words(own.x64))},
  arm64: ${wrapped(words(own.arm64))},
};

export const ELSEWHERE = ${wrapped(elsewhere)};
`,
);
