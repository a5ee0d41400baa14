// /metrics has what dashboards of Kubernetes look for, under kube-apiserver's names, labels and types; / lists
// what is served.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { Reader } from '#codec/protobuf-reader.ts';
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

test('judgements of pod security are counted, and certificates by the time that was asked for', async () => {
  const own = await startOwnServer();
  const send = async (method: string, path: string, body?: unknown) =>
    (await sendStep(own.target, { name: path, method, path, body })).status;
  try {
    const labels = {
      'pod-security.kubernetes.io/enforce': 'baseline',
      'pod-security.kubernetes.io/audit': 'restricted',
      'pod-security.kubernetes.io/audit-version': 'v1.99',
    };
    await send('POST', '/api/v1/namespaces', { metadata: { name: 'judged', labels } });
    const pods = '/api/v1/namespaces/judged/pods';
    await send('POST', '/api/v1/namespaces/judged/serviceaccounts', {
      metadata: { name: 'default' },
    });
    const pod = (name: string, spec: object) => ({
      metadata: { name },
      spec: { containers: [{ name: 'm', image: 'a:1' }], ...spec },
    });
    assert.equal(await send('POST', pods, pod('a', {})), 201);
    assert.equal(await send('POST', pods, pod('b', { hostNetwork: true })), 403);
    const text = (await senderTo(own.target)({ method: 'GET', path: '/metrics' })).bytes;
    const lines = text.toString().split('\n');
    const of = (decision: string, mode: string, level: string, version: string): string =>
      `pod_security_evaluations_total{decision="${decision}",mode="${mode}",policy_level="${level}",` +
      `policy_version="${version}",request_operation="create",resource="pod",subresource=""}`;
    for (const line of [
      `${of('allow', 'enforce', 'baseline', 'latest')} 1`,
      `${of('deny', 'enforce', 'baseline', 'latest')} 1`,
      `${of('deny', 'audit', 'restricted', 'future')} 2`,
      'pod_security_exemptions_total{request_operation="create",resource="pod",subresource=""} 0',
    ])
      assert.ok(lines.includes(line), line);
  } finally {
    await own.close();
  }
});

test('histograms come with native buckets to those who read messages, and without to others', async () => {
  const own = await startOwnServer();
  const message = 'proto=io.prometheus.client.MetricFamily';
  const accept = `application/vnd.google.protobuf; ${message}; encoding=delimited`;
  const ask = async (headers: Record<string, string>): Promise<Buffer> =>
    (await senderTo(own.target)({ method: 'GET', path: '/metrics', headers })).bytes;
  try {
    const name = 'apiserver_request_duration_seconds';
    const text = (await ask({})).toString();
    assert.ok(text.includes(`# TYPE ${name} histogram`));
    assert.ok(!text.includes('\u0000') && !text.includes('"schema"'));
    const histogram = firstHistogram(await ask({ accept }), name);
    // Schema 3, as a signed number.
    assert.deepEqual(histogram.get(5), [6]);
    const [count = 0] = histogram.get(1) ?? [];
    assert.ok(Number(count) > 0);
    const [zero = 0, deltas = []] = [histogram.get(7)?.[0], histogram.get(13)];
    let [sum, at] = [Number(zero), 0];
    for (const one of deltas.map(Number)) {
      at += one % 2 === 0 ? one / 2 : -(one + 1) / 2;
      sum += at;
    }
    assert.equal(sum, count);
    assert.ok((histogram.get(12) ?? []).length > 0);
  } finally {
    await own.close();
  }
});

/** The values of its fields by their numbers. */
function firstHistogram(page: Buffer, name: string): ReadonlyMap<number, readonly unknown[]> {
  const fieldsOf = (bytes: Buffer): Map<number, unknown[]> => {
    const found = new Map<number, unknown[]>();
    const reader = new Reader(bytes);
    while (reader.at < reader.end) {
      const key = reader.u();
      const wire = key & 7;
      const value = wire === 2 ? Buffer.from(reader.b()) : wire === 1 ? reader.d() : reader.u();
      found.getOrInsertComputed(key >>> 3, () => []).push(value);
    }
    return found;
  };
  const reader = new Reader(page);
  while (reader.at < reader.end) {
    const family = fieldsOf(Buffer.from(reader.b()));
    if (String(family.get(1)?.[0]) !== name) continue;
    const metric = fieldsOf(family.get(4)?.[0] as Buffer);
    return fieldsOf(metric.get(7)?.[0] as Buffer);
  }
  return assert.fail(`${name} is not there`);
}

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
