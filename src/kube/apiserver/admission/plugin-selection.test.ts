// Flags of admission plugins that cannot be used are told by name; the rest says who takes part.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

test('plugins are configured by a file of either version', () => {
  const folder = mkdtempSync(join(tmpdir(), 'strata-plugins-'));
  try {
    for (const apiVersion of ['apiserver.config.k8s.io/v1', 'apiserver.k8s.io/v1alpha1']) {
      const file = join(folder, 'config.yaml');
      const configuration = { limitedResources: [{ resource: 'pods' }] };
      const plugins = [{ name: 'ResourceQuota', configuration }];
      writeFileSync(file, JSON.stringify({ apiVersion, kind: 'AdmissionConfiguration', plugins }));
      const selection = pluginSelection(named({ 'admission-control-config-file': file }));
      assert.deepEqual(selection.configOf('ResourceQuota'), configuration);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

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
