// Requests as Prometheus sees them: labels of what was asked, counts, durations, what is under way.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRequest } from '#kube/apiserver/request-info.ts';
import { RequestMetrics } from './request-metrics.ts';

function observe(metrics: RequestMetrics, method: string, url: string, more = {}) {
  return metrics.begin({ info: parseRequest(method, url), isKnown: true, isApply: false, ...more });
}
const PODS = '/api/v1/namespaces/n/pods';
const asked = (verb: string, scope: string, more = ''): string =>
  `component="apiserver",dry_run="",group="",resource="pods",scope="${scope}",subresource="${more}",verb="${verb}",version="v1"`;

const requests: readonly (readonly [string, string, string, string])[] = [
  ['GET', `${PODS}/p`, 'GET', 'resource'],
  ['GET', PODS, 'LIST', 'namespace'],
  ['GET', '/api/v1/pods', 'LIST', 'cluster'],
  ['GET', `${PODS}?watch=true`, 'WATCH', 'namespace'],
  ['POST', PODS, 'POST', 'resource'],
  ['DELETE', PODS, 'DELETECOLLECTION', 'namespace'],
];
for (const [method, url, verb, scope] of requests) {
  test(`${method} ${url} is a ${verb} of a ${scope}`, () => {
    const metrics = new RequestMetrics();
    observe(metrics, method, url)(200, 0.03);
    const total = `apiserver_request_total{code="200",${asked(verb, scope)}} 1`;
    assert.ok(metrics.lines().includes(total), metrics.lines().join('\n'));
  });
}

test('a duration is in its bucket and in all above it', () => {
  const metrics = new RequestMetrics();
  observe(metrics, 'GET', `${PODS}/p`)(200, 0.03);
  observe(metrics, 'GET', `${PODS}/p`)(404, 99);
  const bucket = (le: string): string =>
    `apiserver_request_duration_seconds_bucket{${asked('GET', 'resource')},le="${le}"}`;
  const lines = new Set(metrics.lines());
  for (const [le, count] of [
    ['0.025', 0],
    ['0.05', 1],
    ['60', 1],
    ['+Inf', 2],
  ] as const) {
    assert.ok(lines.has(`${bucket(le)} ${count}`), le);
  }
  assert.ok(lines.has(`apiserver_request_duration_seconds_count{${asked('GET', 'resource')}} 2`));
});

test('what is under way is counted, watches apart', () => {
  const metrics = new RequestMetrics();
  const get = observe(metrics, 'GET', `${PODS}/p`);
  const post = observe(metrics, 'POST', PODS);
  const watch = observe(metrics, 'GET', `${PODS}?watch=1`);
  const long = /^apiserver_longrunning_requests\{.*verb="WATCH".*\} 1$/;
  assert.ok(metrics.lines().some((line) => long.test(line)));
  for (const kind of ['mutating', 'readOnly']) {
    const line = `apiserver_current_inflight_requests{request_kind="${kind}"} 1`;
    assert.ok(metrics.lines().includes(line));
  }
  get(200, 0);
  post(201, 0);
  watch(200, 0);
  assert.ok(
    !metrics.lines().some((line) => line.endsWith(' 1') && /inflight|longrunning/.test(line)),
  );
});

test('what is not served makes no labels', () => {
  const metrics = new RequestMetrics();
  for (let i = 0; i < 9; i++) {
    observe(metrics, 'GET', `/apis/g${i}/v1/things`, { isKnown: false })(404, 0);
  }
  const totals = metrics.lines().filter((line) => line.startsWith('apiserver_request_total{'));
  assert.equal(totals.length, 1);
  assert.match(totals[0] ?? '', /resource="".* 9$/);
});
