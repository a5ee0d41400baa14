// The embedded store in a process of its own, for tests that kill it: answers what it is asked over the
// channel to its parent, and acknowledges as the API server does: when the store has resolved.
import { openSqliteStore } from '#store/sqlite-store.ts';
import type { RangeOptions, StoreEvent, Txn } from '#store/store.ts';

export type Asked =
  | { readonly id: number; readonly ask: 'txn'; readonly txn: Txn }
  | { readonly id: number; readonly ask: 'range'; readonly options: RangeOptions }
  | {
      readonly id: number;
      readonly ask: 'watch';
      readonly start: string;
      readonly end: string;
      readonly from: number;
    };

export type Told =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string }
  | { readonly watch: number; readonly events: readonly StoreEvent[]; readonly revision: number }
  | { readonly ready: true };

const store = await openSqliteStore(process.argv[2] ?? '');
const tell = (told: Told): void => void process.send?.(told);

async function answer(asked: Asked): Promise<unknown> {
  switch (asked.ask) {
    case 'txn':
      return await store.txn(asked.txn);
    case 'range':
      return await store.range(asked.options);
    case 'watch':
      store.watch(
        { start: asked.start, end: asked.end, startRevision: asked.from },
        {
          onEvents: (events, revision) => tell({ watch: asked.id, events, revision }),
          onEnd: () => {},
        },
      );
      return true;
  }
}

process.on('message', (asked: Asked) => {
  answer(asked).then(
    (result) => tell({ id: asked.id, result }),
    (error: unknown) => tell({ id: asked.id, error: String(error) }),
  );
});
process.on('disconnect', () => process.exit());
tell({ ready: true });
