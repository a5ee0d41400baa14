// Columns of custom resources, and objects whose values they show or do not: paths of every kind, values of other types
// than the column's, nulls, lists, dates, large and small numbers.

type Json = Record<string, unknown>;

const paths = [
  '.spec.text',
  '.spec.whole',
  '.spec.part',
  '.spec.flag',
  '.spec.when',
  '.spec.list',
  '.spec.object',
  '.spec.nothing',
  '.spec.missing',
  '.spec.missing.below',
  '.spec.text.below',
  '.',
  '.spec',
  '.metadata.labels.colour',
  '.metadata.labels.example\\.com/colour',
  ".metadata.labels['example\\.com/colour']",
  ".metadata.labels['example.com/colour']",
  '.spec.list[0]',
  '.spec.list[1]',
  '.spec.list[-1]',
  '.spec.list[-5]',
  '.spec.list[9]',
  '.spec.list[0,2]',
  '.spec.list[1:]',
  '.spec.list[:2]',
  '.spec.list[::2]',
  '.spec.list[0:0]',
  '.spec.list[2:1]',
  '.spec.list[1:3:0]',
  '.spec.list[*]',
  '.spec.all.*',
  '.spec.object.*',
  '.spec.object[0]',
  '.spec.list[0].name',
  '.spec.all[*].name',
  '.spec.all[1].name',
  '.spec.all[?(@.name=="b")].value',
  ".spec.all[?(@.name=='b')].value",
  '.spec.all[?(@.name == "c")].value',
  '.spec.all[?(@.name!="a")].value',
  '.spec.all[?(@.value>1)].name',
  '.spec.all[?(@.value>=1.5)].name',
  '.spec.all[?(@.value<2)].name',
  '.spec.all[?(@.value<=1)].name',
  '.spec.all[?(@.value==2)].name',
  '.spec.all[?(@.flag==true)].name',
  '.spec.all[?(@.flag>true)].name',
  '.spec.all[?(@.more)].name',
  '.spec.all[?(@.missing=="x")].name',
  '.spec.all[?(@.name=="a)")].value',
  '.spec.missing[?(@.name=="b")].value',
  '.spec.text[?(@.name=="b")].value',
  '.spec.nothing[0]',
  '.spec.nothing.below',
  '.spec.nothing[*]',
  '..deep',
  '.spec..value',
  '.spec.object..deep',
  '.spec.all[range]',
  '.spec.text range',
  '.spec.text "two"',
  '.spec.text 3',
  '.spec.text -1.5',
  '.spec.text true',
  '. spec.text',
  '.spec .text',
  '.$spec@text',
];
/** What follows such a column is left out. */
const broken = ['.spec.list[', '.spec.list[a]', '.spec.all[?(@.name="]', '....a', '.spec!', '.a"b'];
const types = ['string', 'integer', 'number', 'boolean', 'date'];

const column = (jsonPath: string, type: string, index: number): Json => ({
  name: `C${index}`,
  type,
  jsonPath,
  ...(index % 5 === 0 ? { description: 'said' } : {}),
  ...(index % 7 === 0 ? { priority: index % 3 } : {}),
  ...(type === 'integer' && index % 2 === 0 ? { format: 'int64' } : {}),
});

export const columnGroup = 'columns.example.com';

const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

function definition(plural: string, kind: string, versions: readonly Json[]): Json {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${columnGroup}` },
    spec: {
      group: columnGroup,
      names: { plural, kind },
      scope: 'Cluster',
      versions: versions.map((one, index) => ({
        served: true,
        storage: index === 0,
        schema: { openAPIV3Schema: open },
        ...one,
      })),
    },
  };
}

/** A version for each type of column, and one for each path that is none. */
export const columnDefinition = definition('shows', 'Show', [
  { name: 'v1' },
  ...types.map((type, at) => ({
    name: `v${at + 2}`,
    additionalPrinterColumns: paths.map((path, index) => column(path, type, index)),
  })),
  ...broken.map((path, at) => ({
    name: `v1beta${at + 1}`,
    additionalPrinterColumns: ['.spec.text', path, '.spec.whole'].map((one, index) =>
      column(one, 'string', index),
    ),
  })),
]);

const values: readonly Json[] = [
  {
    text: 'word',
    whole: 1,
    part: 1.5,
    flag: true,
    when: '2001-01-01T00:00:00Z',
    list: ['a', 'b', 'c'],
  },
  { text: 'a <b> & "c"', whole: 0, part: 0.1, flag: false, when: '', list: [] },
  { text: '', whole: -7, part: 1234567.25, when: 'null', list: [{ name: 'n' }] },
  { text: 5, whole: '5', part: '1.5', flag: 'true', when: 978307200, list: 'list' },
  { text: true, whole: 1.75, part: 3, flag: 1, when: '2001-01-01', list: { 0: 'zero' } },
  { text: null, whole: null, part: null, flag: null, when: null, list: null },
  {
    text: ['x', 1],
    whole: [1],
    part: 0.000012,
    flag: [true],
    when: '2001-01-01 00:00:00Z',
    list: [1, 2.5, null],
  },
  {
    text: { b: 1, a: '<' },
    whole: -1.75,
    part: 1.5e-7,
    when: '2001-01-01T00:00:00+01:00',
    list: [[1], [2]],
  },
  {
    text: 123456789,
    whole: 9007199254740992,
    part: 1e21,
    when: '2999-01-01T00:00:00Z',
    list: [true],
  },
  { text: 1234567.5, whole: 1e21, part: 100000.5, when: '2001-01-01T00:00:00.5Z', list: [''] },
  { text: -0.00001, whole: -0.5, part: -12345678.125, when: '2001-13-01T00:00:00Z', list: [0] },
];

/** As text: numbers that JavaScript rounds are among them. */
export const columnObjects: readonly string[] = values.map((spec, index) =>
  JSON.stringify({
    apiVersion: `${columnGroup}/v1`,
    kind: 'Show',
    metadata: {
      name: `s${String(index).padStart(2, '0')}`,
      labels: { colour: 'red', 'example.com/colour': 'blue' },
    },
    spec: {
      ...spec,
      nothing: null,
      object: { one: { deep: 1 } },
      all: [
        { name: 'a', value: 1, more: {} },
        { name: 'b', value: 2, flag: true },
        { name: 'c', value: 2.5 },
      ].slice(0, 1 + (index % 3)),
    },
  }).replace('9007199254740992', '9007199254740993'),
);

export const columnVersions = (
  columnDefinition['spec'] as { versions: { name: string }[] }
).versions.map(({ name }) => name);
