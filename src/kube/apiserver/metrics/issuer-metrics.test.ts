// What is told of issuers of tokens: only of those that were asked, until they are forgotten.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { IssuerMetrics } from './issuer-metrics.ts';

const hash = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;
const head = 'apiserver_authentication_jwt_authenticator';

test('keys that were fetched, and tokens that were looked at', () => {
  let nowMs = 1_500;
  const metrics = new IssuerMetrics('server', () => nowMs);
  const [one, two] = [metrics.ofIssuer('https://one'), metrics.ofIssuer('https://two')];
  assert.deepEqual(metrics.lines(), []);
  const samples = (): string[] =>
    metrics.lines().filter((line) => !line.startsWith('#') && !line.includes('_latency_'));
  one.fetched('keys');
  nowMs = 2_500;
  one.fetched('other keys');
  one.fetched(undefined);
  two.fetched(undefined);
  const labels = (issuer: string): string =>
    `apiserver_id_hash="${hash('server')}",jwt_issuer_hash="${hash(issuer)}"`;
  const set = `apiserver_id_hash="${hash('server')}",hash="${hash('other keys')}"`;
  const at = `${head}_jwks_fetch_last_timestamp_seconds`;
  const ofTwo = `${at}{${labels('https://two')},result="failure"} 2.5`;
  assert.deepEqual(samples(), [
    `${head}_jwks_fetch_last_key_set_info{${set},jwt_issuer_hash="${hash('https://one')}"} 1`,
    `${at}{${labels('https://one')},result="success"} 2.5`,
    `${at}{${labels('https://one')},result="failure"} 2.5`,
    ofTwo,
  ]);
  metrics.forget('https://one');
  assert.deepEqual(samples(), [ofTwo]);

  two.verified('success', 0.02);
  two.verified('failure', 3);
  const took = metrics.lines().filter((line) => line.startsWith(`${head}_latency_seconds_sum`));
  const issuer = `jwt_issuer_hash="${hash('https://two')}"`;
  assert.deepEqual(took, [
    `${head}_latency_seconds_sum{${issuer},result="success"} 0.02`,
    `${head}_latency_seconds_sum{${issuer},result="failure"} 3`,
  ]);
  metrics.reset();
  assert.deepEqual(metrics.lines(), []);
});
