// Every table that a real kube-apiserver v1.37 printed of its objects is printed here in the same columns
// and cells; ages alone may differ by what the answer took.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '#kube/meta/object.ts';
import { builtinResources } from '#kube/types/registry.ts';
import { recordedTables } from '#test/support/kube-tables.ts';
import { printerOf } from './table.ts';

const builtin = new Map(
  builtinResources().map((info) => [`${info.group}/${info.version}/${info.resource}`, info]),
);
const AGE = /^(\d+[smhdy])+$/;

for (const { group, version, resource, columns, tables } of recordedTables()) {
  const key = `${group}/${version}/${resource}`;
  test(`${key} is printed as upstream prints it`, () => {
    const info = builtin.get(key);
    assert.ok(info !== undefined, 'it is served');
    const printer = printerOf(info);
    const own = printer.columns.map(({ name, type, format, priority }) =>
      [name, type, format, priority].join('|'),
    );
    assert.deepEqual(own, columns);
    for (const { at, cells, objects } of tables) {
      const all = objects as unknown as readonly KubeObject[];
      const printed = all.map((object) => printer.cells(object, at, all));
      const same = (rows: readonly (readonly unknown[])[]): unknown[][] =>
        rows.map((row) => row.map((cell) => (AGE.test(String(cell)) ? 'an age' : cell)));
      assert.deepEqual(same(printed), same(cells));
    }
  });
}
