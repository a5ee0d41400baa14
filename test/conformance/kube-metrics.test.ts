// /metrics has what dashboards of Kubernetes look for, under kube-apiserver's names, labels and types; / lists
// what is served.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { senderTo } from '#test/support/kube-sender.ts';
import { playMetrics, type MetricShapes } from '#test/support/metric-names.ts';
import { leftOut } from '#test/support/metrics-left-out.ts';
import { sendStep } from '#test/support/step-player.ts';
import { startOwnServer } from '#test/support/step-target.ts';

interface Recorded {
  readonly all: MetricShapes;
  readonly slis: MetricShapes;
}

/** What a kube-apiserver v1.37.2 shows after the same requests (tools/record-kube-metrics.ts). */
const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, '../vectors/kube-metrics.json'), 'utf8'),
) as Recorded;

test('metrics have the names, types and labels of upstream, but for those that are listed', async () => {
  const own = await startOwnServer();
  try {
    const shown = await playMetrics(own.target);
    for (const page of ['all', 'slis'] as const) {
      const common = Object.keys(recorded[page]).filter((name) => shown[page][name] !== undefined);
      for (const name of common) assert.deepEqual(shown[page][name], recorded[page][name], name);
    }
    const missing = Object.keys(recorded.all).filter((name) => shown.all[name] === undefined);
    const unlisted = missing.filter((name) => !leftOut.some(({ names }) => names.test(name)));
    const unneeded = leftOut.filter(({ names }) => !missing.some((name) => names.test(name)));
    assert.deepEqual({ unlisted, unneeded }, { unlisted: [], unneeded: [] });
    assert.deepEqual(Object.keys(shown.slis), Object.keys(recorded.slis));
  } finally {
    await own.close();
  }
});

test('metrics come in the form that is asked for', async () => {
  const own = await startOwnServer();
  const message = 'proto=io.prometheus.client.MetricFamily';
  const protobuf = `application/vnd.google.protobuf; ${message}; encoding=delimited`;
  const plain = 'text/plain; version=0.0.4; charset=utf-8';
  // As a kube-apiserver v1.37.2 answers them.
  const forms: Readonly<Record<string, string>> = {
    '*/*': `${plain}; escaping=underscores`,
    'application/openmetrics-text;version=1.0.0,text/plain': `${plain}; escaping=underscores`,
    'text/plain;version=1.0.0;escaping=allow-utf-8': `${plain}; escaping=allow-utf-8`,
    'application/json': `${plain}; escaping=underscores`,
    [`${protobuf},text/plain`]: `${protobuf}; escaping=underscores`,
  };
  try {
    for (const [accept, wanted] of Object.entries(forms)) {
      const { headers, bytes } = await senderTo(own.target)({
        method: 'GET',
        path: '/metrics/slis',
        headers: { accept },
      });
      assert.equal(headers['content-type'], wanted, accept);
      assert.ok(bytes.includes('process_start_time_seconds'));
    }
  } finally {
    await own.close();
  }
});

test('metrics have values', async () => {
  const own = await startOwnServer();
  try {
    const get = async (path: string): Promise<unknown> =>
      (await sendStep(own.target, { name: path, method: 'GET', path })).body;
    await get('/api/v1/endpoints');
    await get('/api/v1/pods?watch=true&timeoutSeconds=1');
    const text = String(await get('/metrics'));
    const lines = text.split('\n');
    const values = new Map(
      lines
        .filter((one) => !one.startsWith('#'))
        .map((one) => one.split(/ (?=[^ ]+$)/) as [string, string]),
    );
    assert.ok(Number(values.get('authorization_attempts_total{result="allowed"}')) >= 3);
    assert.ok(Number(values.get('process_open_fds')) > 0);
    const { paths } = (await get('/')) as { paths: string[] };
    for (const path of ['/api/v1', '/apis/apps/v1', '/livez/etcd', '/openid/v1/jwks', '/version']) {
      assert.ok(paths.includes(path), path);
    }
  } finally {
    await own.close();
  }
});

test('counters begin anew when they are deleted', async () => {
  const own = await startOwnServer();
  try {
    const ask = async (method: string): Promise<string> =>
      (await senderTo(own.target)({ method, path: '/metrics' })).bytes.toString();
    const lists =
      'apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="nodes"';
    await sendStep(own.target, { name: 'list', method: 'GET', path: '/api/v1/nodes' });
    assert.ok((await ask('GET')).includes(lists));
    assert.equal(await ask('DELETE'), 'metrics reset\n');
    assert.ok(!(await ask('GET')).includes(lists));
  } finally {
    await own.close();
  }
});
