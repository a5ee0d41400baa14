// Flags of admission plugins that cannot be used are told by name; the rest says who takes part.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flagKey } from '#kube/apiserver/access-flag-names.ts';
import { pluginSelection } from './plugin-selection.ts';

const named = (flags: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(flags).map(([flag, value]) => [flagKey(flag), value]));

const refusals: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
  [{ 'enable-admission-plugins': 'Odd' }, /plugin "Odd" is unknown/],
  [{ 'disable-admission-plugins': 'Odd' }, /plugin "Odd" is unknown/],
  [
    { 'enable-admission-plugins': 'Priority', 'disable-admission-plugins': 'Priority' },
    /\[Priority\] is in --disable-admission-plugins, too/,
  ],
  [{ 'admission-control-config-file': '/no/such/file' }, /ENOENT/],
];

for (const [flags, words] of refusals) {
  test(`refused: ${JSON.stringify(flags)}`, () => {
    assert.throws(() => pluginSelection(named(flags)), words);
  });
}

test('plugins are on by default, switched on and switched off', () => {
  const flags = {
    'enable-admission-plugins': 'AlwaysDeny',
    'disable-admission-plugins': 'Priority',
  };
  const { isOn, configOf } = pluginSelection(named(flags));
  assert.deepEqual(
    ['AlwaysDeny', 'Priority', 'LimitRanger', 'EventRateLimit'].map((one) => isOn(one)),
    [true, false, true, false],
  );
  assert.equal(configOf('EventRateLimit'), undefined);
});
