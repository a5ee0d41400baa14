// What the fan-out of watches does with something in the store that is no object.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TypeRegistry } from '#kube/types/registry.ts';
import { MemoryStore } from '#store/memory-store.ts';
import { eventually } from '#test/support/cluster.ts';
import type { WatchForm } from './watch-forms.ts';
import { WatchHub, type End, type Receiver } from './watch-hub.ts';

class Seen implements Receiver {
  readonly connection = this;
  readonly grouped = undefined;
  text = '';
  ended: End | undefined;

  write(bytes: Buffer): void {
    this.text += bytes.toString();
  }

  flush(): void {}

  end(reason: End): void {
    this.ended = reason;
  }
}

test('who watches what cannot be read is told so, others go on', async () => {
  const store = new MemoryStore();
  const hub = new WatchHub(store);
  const info = new TypeRegistry().byKind('', 'v1', 'ConfigMap');
  assert.ok(info);
  const put = (key: string, text: string) => {
    const value = Buffer.from(text);
    return store.txn({ compare: [], then: [{ kind: 'put', key, value }] });
  };
  const join = (key: string, namespace: string) => {
    const seen = new Seen();
    const event = ({ kv }: { kv: { value: Uint8Array } }) =>
      Buffer.from(String(JSON.parse(Buffer.from(kv.value).toString()).data.a));
    const form = { key, event } as unknown as WatchForm;
    const selection = { labels: [], fields: [] } as never;
    const { leave } = hub.join({ info, namespace, selection, form }, seen);
    return { seen, leave };
  };
  const [broken, whole] = [join('json', 'one'), join('json', 'two')];
  await put('/registry/configmaps/one/a', '\0not json');
  await put('/registry/configmaps/two/a', '{"metadata":{"name":"a"},"data":{"a":"kept"}}');
  const found = await eventually('the whole object', async () => whole.seen.text || undefined);
  assert.equal(found, 'kept');
  assert.deepEqual([broken.seen.ended, whole.seen.ended], ['unreadable', undefined]);
  for (const { leave } of [broken, whole]) leave();
});
