// An API server at rest: in the first moments after its start it says in each flow schema that its level exists, and
// versions of the store go up meanwhile. The word is the same in JSON and in protobuf.
import { prefixEnd, type Store } from '#store/store.ts';
import { eventually } from './cluster.ts';

const start = '/registry/flowschemas/';

export async function flowsReported(store: Pick<Store, 'range'>): Promise<void> {
  await eventually('every flow schema has its status', async () => {
    const { items } = await store.range({ start, end: prefixEnd(start) });
    const isDone = items.every(({ value }) => Buffer.from(value).includes('Dangling'));
    return isDone ? true : undefined;
  });
}
