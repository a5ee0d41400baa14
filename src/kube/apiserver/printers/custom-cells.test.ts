// What columns of custom resources show, each row as a real kube-apiserver v1.37 shows it.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { PrinterColumn, ResourceInfo } from '#kube/meta/resource-info.ts';
import { builtinResources } from '#kube/types/registry.ts';
import { customPrinter } from './custom-cells.ts';

const spec = {
  word: 'a <b>',
  whole: 3,
  part: 1234567.25,
  small: 0.000012,
  large: 1e21,
  none: null,
  flag: true,
  list: ['x', 2, { b: 1, a: '<' }],
  all: [{ name: 'a' }, { name: 'b', value: 2 }],
  'dotted.name': 'd',
};

const rows: readonly (readonly [type: string, path: string, cell: unknown])[] = [
  ['string', '.spec.word', 'a <b>'],
  ['string', '.spec.whole', '3'],
  ['string', '.spec.part', '1.23456725e+06'],
  ['string', '.spec.small', '1.2e-05'],
  ['string', '.spec.large', '1e+21'],
  ['string', '.spec.none', '<no value>'],
  ['string', '.spec.missing', null],
  ['string', '.spec.word.below', null],
  ['string', '.spec.list', '["x",2,{"a":"\\u003c","b":1}]'],
  ['string', '.spec.list[-1]', '{"a":"\\u003c","b":1}'],
  ['string', '.spec.list[3]', null],
  ['string', '.spec.list[*]', 'x'],
  ['string', '.spec.list[1,0]', '2'],
  ['string', '.spec.dotted\\.name', 'd'],
  ['string', ".spec['dotted.name']", null],
  ['string', '.spec.all[?(@.name=="b")].value', '2'],
  ['string', '.spec.all[?(@.value>1)].name', 'b'],
  ['string', '.spec.all[?(@.value>1.5)].name', null],
  ['string', '.spec.all[?(@.value)].name', 'b'],
  ['integer', '.spec.part', 1234567],
  ['integer', '.spec.word', null],
  ['integer', '.spec.large', -(2n ** 63n)],
  ['number', '.spec.whole', 3],
  ['boolean', '.spec.flag', true],
  ['boolean', '.spec.whole', null],
  ['date', '.spec.word', '<invalid>'],
  ['date', '.spec.whole', null],
  ['date', '.metadata.creationTimestamp', '5m'],
];

function infoWith(printerColumns: readonly PrinterColumn[]): ResourceInfo {
  const [any] = builtinResources();
  assert.ok(any !== undefined);
  return { ...any, printerColumns };
}

const column = (type: string, jsonPath: string): PrinterColumn => ({
  name: jsonPath,
  type: type as PrinterColumn['type'],
  priority: 0,
  jsonPath,
});

const object = {
  apiVersion: 'example.com/v1',
  kind: 'Thing',
  metadata: { name: 'one', creationTimestamp: '2026-01-01T00:00:00Z' },
  spec,
};

test('a cell is what the path finds, as the type of its column has it', () => {
  const printer = customPrinter(infoWith(rows.map(([type, path]) => column(type, path))));
  const cells = printer.cells(object, Date.parse('2026-01-01T00:05:00Z'), [object]);
  const wanted = ['one', ...rows.map(([, , cell]) => cell)];
  for (const [index, cell] of wanted.entries())
    assert.deepEqual(cells[index], cell, JSON.stringify(rows[index - 1]));
});

test('columns from the first on whose path cannot be read are left out', () => {
  for (const path of ['.spec.list[', '.spec.list[a]', '.spec "a', '....a', '.spec.all[?(@.a="]']) {
    const all = [column('string', '.spec.word'), column('string', path), column('string', '.spec')];
    const { columns } = customPrinter(infoWith(all));
    assert.deepEqual(
      columns.map(({ name }) => name),
      ['Name', '.spec.word'],
      path,
    );
  }
});
