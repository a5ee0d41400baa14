// Completion indexes of an indexed Job, written as ranges: `0-2,5`.
import type { KubeObject } from '#kube/meta/object.ts';

export const INDEX_KEY = 'batch.kubernetes.io/job-completion-index';

export function indexOf(pod: KubeObject): number | undefined {
  const text = pod.metadata.annotations?.[INDEX_KEY];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

export function parseIndexes(text: string | undefined): Set<number> {
  const found = new Set<number>();
  for (const part of (text ?? '').split(',')) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (match === null) continue;
    const first = Number(match[1]);
    for (let index = first; index <= Number(match[2] ?? first); index++) found.add(index);
  }
  return found;
}

export function formatIndexes(indexes: ReadonlySet<number>): string {
  const sorted = [...indexes].toSorted((a, b) => a - b);
  const parts: string[] = [];
  for (let start = 0; start < sorted.length;) {
    let end = start;
    while (sorted[end + 1] === (sorted[end] ?? 0) + 1) end += 1;
    const [first, last] = [sorted[start], sorted[end]];
    // Two neighbours are written apart by a comma, as upstream has it.
    if (end === start) parts.push(`${first}`);
    else if (end === start + 1) parts.push(`${first},${last}`);
    else parts.push(`${first}-${last}`);
    start = end + 1;
  }
  return parts.join(',');
}

/** The lowest indexes that are neither taken nor completed. */
export function freeIndexes(
  taken: ReadonlySet<number>,
  options: { completions: number; count: number },
): number[] {
  const free: number[] = [];
  for (let index = 0; index < options.completions && free.length < options.count; index++) {
    if (!taken.has(index)) free.push(index);
  }
  return free;
}
