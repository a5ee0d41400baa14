// Tables of custom resources have the columns and cells of a real kube-apiserver, whatever paths find in an object.
import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import {
  columnDefinition,
  columnGroup,
  columnObjects,
  columnVersions,
} from '#test/support/column-cases.ts';
import { senderTo, type Target } from '#test/support/kube-sender.ts';
import { startRealServer } from '#test/support/real-apiserver.ts';
import { realProgram, skipWithout } from '#test/support/real-kubernetes.ts';
import { startOwnServer } from '#test/support/step-target.ts';

const skip = skipWithout(['etcd', 'kube-apiserver']);
const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const TABLE = 'application/json;as=Table;g=meta.k8s.io;v=v1';
const AGE = /^(\d+[smhdy])+$/;

interface Table {
  readonly columnDefinitions: readonly { readonly description: string }[];
  readonly rows: readonly { readonly cells: readonly unknown[] }[];
}

/** By version, once the definition is served. */
async function tablesOf(target: Target): Promise<Map<string, Table>> {
  const send = senderTo(target);
  const post = async (path: string, body: string): Promise<number> => {
    const headers = { 'content-type': 'application/json' };
    return (await send({ method: 'POST', path, headers, body })).status;
  };
  const text = JSON.stringify(columnDefinition);
  assert.equal(await post(DEFINITIONS, text), 201);
  const home = `/apis/${columnGroup}/v1/shows`;
  while ((await send({ method: 'GET', path: home })).status !== 200) await pause(50);
  for (const object of columnObjects) assert.equal(await post(home, object), 201, object);
  const found = new Map<string, Table>();
  for (const version of columnVersions) {
    const path = `/apis/${columnGroup}/${version}/shows`;
    const { status, bytes } = await send({ method: 'GET', path, headers: { accept: TABLE } });
    assert.equal(status, 200, bytes.toString());
    found.set(version, JSON.parse(bytes.toString()) as Table);
  }
  return found;
}

/** Upstream's words of the name and of the age of what has no columns; ages grow. */
function comparable({ columnDefinitions, rows }: Table): object {
  return {
    columns: columnDefinitions.map((one) =>
      /^(Name|CreationTimestamp) /.test(one.description) ? { ...one, description: '' } : one,
    ),
    rows: rows.map(({ cells }) => cells.map((cell) => (AGE.test(String(cell)) ? 'an age' : cell))),
  };
}

test('custom columns are those of kube-apiserver', { skip }, async (t) => {
  const real = await startRealServer(realProgram('.'), {});
  const own = await startOwnServer();
  try {
    const [theirs, ours] = [await tablesOf(real.target), await tablesOf(own.target)];
    for (const [version, table] of theirs) {
      await t.test(version, () => {
        const found = ours.get(version);
        assert.ok(found !== undefined);
        assert.deepEqual(comparable(found), comparable(table));
      });
    }
  } finally {
    await own.close();
    await real.close();
  }
});
