// /metrics has what dashboards of Kubernetes look for, under kube-apiserver's names, labels and types; / lists
// what is served.
import assert from 'node:assert/strict';
import test from 'node:test';
import { sendStep } from '#test/support/step-player.ts';
import { startOwnServer } from '#test/support/step-target.ts';

/** Name -> type, and labels of one of its lines, as a kube-apiserver v1.37.2 has them. */
const wanted: Readonly<Record<string, readonly [type: string, labels: string]>> = {
  apiserver_audit_event_total: ['counter', ''],
  apiserver_current_inflight_requests: ['gauge', 'request_kind'],
  apiserver_longrunning_requests: [
    'gauge',
    'component,group,resource,scope,subresource,verb,version',
  ],
  apiserver_request_duration_seconds: [
    'histogram',
    'component,dry_run,group,le,resource,scope,subresource,verb,version',
  ],
  apiserver_request_sli_duration_seconds: [
    'histogram',
    'component,group,le,resource,scope,subresource,verb,version',
  ],
  apiserver_request_total: [
    'counter',
    'code,component,dry_run,group,resource,scope,subresource,verb,version',
  ],
  apiserver_requested_deprecated_apis: [
    'gauge',
    'group,removed_release,resource,subresource,version',
  ],
  apiserver_tls_handshake_errors_total: ['counter', ''],
  authenticated_user_requests: ['counter', 'username'],
  authentication_attempts: ['counter', 'result'],
  authorization_attempts_total: ['counter', 'result'],
  kubernetes_build_info: [
    'gauge',
    'build_date,compiler,git_commit,git_tree_state,git_version,go_version,major,minor,platform',
  ],
  process_cpu_seconds_total: ['counter', ''],
  process_max_fds: ['gauge', ''],
  process_open_fds: ['gauge', ''],
  process_resident_memory_bytes: ['gauge', ''],
  process_start_time_seconds: ['gauge', ''],
  process_virtual_memory_bytes: ['gauge', ''],
};

test('metrics have the names, types and labels of upstream', async () => {
  const own = await startOwnServer();
  try {
    const get = async (path: string): Promise<unknown> =>
      (await sendStep(own.target, { name: path, method: 'GET', path })).body;
    await get('/api/v1/endpoints');
    await get('/api/v1/pods?watch=true&timeoutSeconds=1');
    const text = String(await get('/metrics'));
    const lines = text.split('\n');
    for (const [name, [type, labels]] of Object.entries(wanted)) {
      assert.ok(lines.includes(`# TYPE ${name} ${type}`), `${name} is a ${type}`);
      const full = type === 'histogram' ? `${name}_bucket` : name;
      const line = lines.find((one) => one.startsWith(`${full}{`) || one.startsWith(`${full} `));
      const found = [...(line ?? '').matchAll(/[{,](\w+)="/g)].map(([, label]) => label);
      assert.ok(line !== undefined, name);
      assert.deepEqual(found.toSorted().join(','), labels, name);
    }
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
