// A pod's hosts file and resolver, by its policy, as tables.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostsText, parseResolver, resolverOf, resolverText } from './pod-etc.ts';
import type { Pod } from './pod-spec.ts';

const pod = (spec: Record<string, unknown>): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web-0', namespace: 'shop' },
  spec: { containers: [], ...spec },
});

const machine = parseResolver('# mine\nsearch example.org\nnameserver 192.0.2.1\noptions edns0\n');
const clusterDns = ['10.20.0.10'];
const text = (spec: Record<string, unknown>, dns: readonly string[] = clusterDns): string => {
  const found = resolverOf(pod(spec), { clusterDns: dns, machine });
  return found === undefined ? 'as the machine' : resolverText(found);
};
const cluster =
  'search shop.svc.cluster.local svc.cluster.local cluster.local example.org\n' +
  'nameserver 10.20.0.10\noptions ndots:5\n';
const dnsConfig = {
  nameservers: ['192.0.2.9'],
  searches: ['more.example'],
  options: [{ name: 'ndots', value: '2' }, { name: 'rotate' }],
};

test('resolverOf follows dnsPolicy and adds dnsConfig', () => {
  assert.equal(text({}), cluster);
  assert.equal(text({}, []), 'as the machine');
  assert.equal(text({ hostNetwork: true }), 'as the machine');
  assert.equal(text({ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }), cluster);
  assert.equal(text({ dnsPolicy: 'Default' }), 'as the machine');
  assert.equal(
    text({ dnsPolicy: 'Default', dnsConfig }),
    'search example.org more.example\nnameserver 192.0.2.1\nnameserver 192.0.2.9\n' +
      'options edns0 ndots:2 rotate\n',
  );
  assert.equal(
    text({ dnsPolicy: 'None', dnsConfig }),
    'search more.example\nnameserver 192.0.2.9\noptions ndots:2 rotate\n',
  );
});

test('hostsText names the pod, its long name below a subdomain, and its aliases', () => {
  const hostAliases = [{ ip: '192.0.2.7', hostnames: ['a', 'b'] }];
  const spec = { hostname: 'web-0', subdomain: 'web', hostAliases };
  const lines = hostsText({ pod: pod(spec), folder: '' }, '10.1.1.2').split('\n');
  assert.deepEqual(lines.slice(3), [
    '10.1.1.2\tweb-0.web.shop.svc.cluster.local\tweb-0',
    '192.0.2.7\ta\tb',
    '',
  ]);
});
