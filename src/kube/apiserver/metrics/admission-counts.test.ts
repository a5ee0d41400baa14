// Certificates that are issued for about the time that was asked for count as such; manifests by their last reading.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManifestCounts, SigningCounts } from './admission-counts.ts';

const DAY = 86_400;
const HEAD = 'apiserver_certificates_registry_csr';

/** Asked for, given: whether that is what was asked for, as upstream's TestCSRDuration has it. */
const times: readonly (readonly [number, number | undefined, boolean])[] = [
  [DAY, DAY, true],
  [2 * DAY, DAY, false],
  [7_200, 7_500, true],
  [600, 900, true],
  [600, 930, false],
  [600, undefined, false],
];

for (const [wanted, given, isHonored] of times) {
  test(`asked for ${wanted} s, given ${given}: ${isHonored}`, () => {
    const counts = new SigningCounts();
    counts.issued('kubernetes.io/kubelet-serving', wanted, given);
    const lines = counts.lines().filter((one) => !one.startsWith('#'));
    const label = '{signerName="kubernetes.io/kubelet-serving"} 1';
    const honored = isHonored ? [`${HEAD}_honored_duration_total${label}`] : [];
    assert.deepEqual(lines, [...honored, `${HEAD}_requested_duration_total${label}`]);
  });
}

test('signers of others are not told apart', () => {
  const counts = new SigningCounts();
  counts.issued('example.com/a', 600, 600);
  counts.issued('example.com/b', 600, 600);
  assert.ok(counts.lines().includes(`${HEAD}_requested_duration_total{signerName="other"} 2`));
});

test('of manifests the readings, the time of the last one and its hash are told', () => {
  const counts = new ManifestCounts('me', () => 5_000);
  counts.loaded('MutatingAdmissionWebhook', 'sha256:a');
  counts.loaded('MutatingAdmissionWebhook', undefined);
  counts.loaded('MutatingAdmissionWebhook', 'sha256:b');
  const name = 'apiserver_manifest_admission_config_controller';
  const shown = counts
    .lines()
    .filter((one) => !one.startsWith('#'))
    .map((one) => one.replace(/apiserver_id_hash="sha256:[0-9a-f]{64}",/, ''));
  const plugin = 'plugin="MutatingAdmissionWebhook"';
  assert.deepEqual(shown, [
    `${name}_automatic_reload_last_timestamp_seconds{${plugin},status="success"} 5`,
    `${name}_automatic_reload_last_timestamp_seconds{${plugin},status="failure"} 5`,
    `${name}_automatic_reloads_total{${plugin},status="success"} 2`,
    `${name}_automatic_reloads_total{${plugin},status="failure"} 1`,
    `${name}_last_config_info{hash="sha256:b",${plugin}} 1`,
  ]);
});
