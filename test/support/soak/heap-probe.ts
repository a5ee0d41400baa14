// Loaded before a program (node --expose-gc --import): on SIGUSR2 it collects its garbage and writes what is left, and
// what it waits for, to the file STRATA_HEAP_PROBE.
import { writeFileSync } from 'node:fs';
import { getHeapStatistics } from 'node:v8';

process.on('SIGUSR2', () => {
  for (let i = 0; i < 3; i++) (globalThis as { gc?: () => void }).gc?.();
  const { used_heap_size, external_memory } = getHeapStatistics();
  const resources: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) {
    resources[name] = (resources[name] ?? 0) + 1;
  }
  const found = { heapBytes: used_heap_size, externalBytes: external_memory, resources };
  writeFileSync(process.env['STRATA_HEAP_PROBE'] ?? '', JSON.stringify(found));
});
