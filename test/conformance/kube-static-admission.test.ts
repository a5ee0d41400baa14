// Webhooks and policies of files: there from the start, taken up and gone as their files are, judges of the
// configurations of admission, too, and what keeps a server from starting.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { flagKey } from '#kube/apiserver/access-flag-names.ts';
import {
  StaticManifests,
  type ManifestPlugin,
} from '#kube/apiserver/admission/static-manifests.ts';
import { TypeRegistry } from '#kube/types/registry.ts';
import { eventually } from '#test/support/cluster.ts';
import { sendStep } from '#test/support/step-player.ts';
import { startOwnServer, type OwnServer } from '#test/support/step-target.ts';
import {
  admissionAnswer,
  patchOf,
  startWebhookServer,
  webhookAt,
  type WebhookServer,
} from '#test/support/webhook-server.ts';

type Json = Record<string, unknown>;

const ADMISSION = '/apis/admissionregistration.k8s.io/v1';
const MAPS = '/api/v1/namespaces/default/configmaps';
const apiVersion = 'admissionregistration.k8s.io/v1';

const folder = mkdtempSync(join(tmpdir(), 'strata-test-manifests-'));
const at = (...names: string[]): string => join(folder, ...names);
let hook: WebhookServer;
let own: OwnServer;

const kinds: Readonly<Record<ManifestPlugin, string>> = {
  ValidatingAdmissionWebhook: 'WebhookAdmissionConfiguration',
  MutatingAdmissionWebhook: 'WebhookAdmissionConfiguration',
  ValidatingAdmissionPolicy: 'ValidatingAdmissionPolicyConfiguration',
  MutatingAdmissionPolicy: 'MutatingAdmissionPolicyConfiguration',
};

function rules(group: string, resource: string): Json[] {
  return [
    { operations: ['CREATE'], apiGroups: [group], apiVersions: ['v1'], resources: [resource] },
  ];
}

function webhooks(kind: string, path: string, all: readonly Json[]): Json {
  const name = `${path.slice(1)}.static.k8s.io`;
  const webhook = { ...webhookAt(hook, path), name, rules: all };
  return { apiVersion, kind, metadata: { name }, webhooks: [webhook] };
}

const policy = (name: string, expression: string, all: readonly Json[]): Json => ({
  apiVersion,
  kind: 'ValidatingAdmissionPolicy',
  metadata: { name: `${name}.static.k8s.io` },
  spec: {
    matchConstraints: { resourceRules: all },
    validations: [{ expression, message: `not by ${name}` }],
  },
});

const binding = (name: string): Json => ({
  apiVersion,
  kind: 'ValidatingAdmissionPolicyBinding',
  metadata: { name: `${name}.static.k8s.io` },
  spec: { policyName: `${name}.static.k8s.io`, validationActions: ['Deny'] },
});

before(async () => {
  hook = await startWebhookServer();
  hook.on('/judge', (review) => {
    const { resource } = review['request'] as { resource: { resource: string } };
    return admissionAnswer(review, { allowed: resource.resource === 'configmaps' });
  });
  hook.on('/change', (review) =>
    admissionAnswer(review, patchOf([{ op: 'add', path: '/data', value: { added: 'yes' } }])),
  );
  const plugins = Object.entries(kinds).map(([name, kind]) => {
    mkdirSync(at(name));
    const version = 'apiserver.config.k8s.io/v1';
    const configuration = { apiVersion: version, kind, staticManifestsDir: at(name) };
    return { name, configuration };
  });
  const judged = [
    ...rules('', 'configmaps'),
    ...rules('admissionregistration.k8s.io', 'validatingwebhookconfigurations'),
  ];
  const judge = webhooks('ValidatingWebhookConfiguration', '/judge', judged);
  writeFileSync(at('ValidatingAdmissionWebhook', 'judge.json'), JSON.stringify(judge));
  const name = "object.metadata.name != 'odd'";
  const both = [policy('names', name, rules('', 'configmaps')), binding('names')];
  const text = both.map((one) => `---\n${JSON.stringify(one)}\n`).join('');
  writeFileSync(at('ValidatingAdmissionPolicy', 'names.yaml'), text);
  const configuration = { kind: 'AdmissionConfiguration', plugins };
  const whole = { apiVersion: 'apiserver.config.k8s.io/v1', ...configuration };
  writeFileSync(at('plugins.yaml'), JSON.stringify(whole));
  own = await startOwnServer({
    flags: { [flagKey('admission-control-config-file')]: at('plugins.yaml') },
  });
});

after(async () => {
  await own.close();
  await hook.close();
  rmSync(folder, { recursive: true, force: true });
});

async function send(method: string, path: string, body?: unknown) {
  const answer = await sendStep(own.target, { name: path, method, path, body });
  return { ...answer, body: answer.body as Json };
}

const dryMap = async (name: string) =>
  await send('POST', `${MAPS}?dryRun=All`, { metadata: { name } });

test('what files have is asked from the first request on, of configurations of admission, too', async () => {
  assert.equal((await dryMap('even')).status, 201);
  const asked = hook.reviews.map(({ body }) => (body['request'] as Json)['name']);
  assert.ok(asked.includes('even'), asked.join(' '));
  const odd = await dryMap('odd');
  assert.equal(odd.status, 422);
  assert.match(
    String(odd.body['message']),
    /names\.static\.k8s\.io.* denied request: not by names$/,
  );
  const metadata = { name: 'own' };
  const path = `${ADMISSION}/validatingwebhookconfigurations`;
  const refused = await send('POST', path, { metadata, webhooks: [] });
  assert.equal(
    refused.body['message'],
    'admission webhook "judge.static.k8s.io" denied the request without explanation',
  );
});

test('files that come are taken up, broken ones leave all as it was, and those that go are gone', async () => {
  const file = at('MutatingAdmissionWebhook', 'change.yaml');
  const change = webhooks('MutatingWebhookConfiguration', '/change', rules('', 'configmaps'));
  const list = { apiVersion: 'v1', kind: 'List', items: [change] };
  writeFileSync(file, JSON.stringify(list));
  const added = async (): Promise<unknown> => (await dryMap('even')).body['data'];
  await eventually('a map that is changed', added);
  const metrics = async (): Promise<string> => String((await send('GET', '/metrics')).body);
  const counted = async (status: string): Promise<string | undefined> => {
    const labels = `plugin="MutatingAdmissionWebhook",status="${status}"`;
    const line = new RegExp(`automatic_reloads_total\\{.*${labels}\\} (\\d+)`);
    return line.exec(await metrics())?.[1];
  };
  assert.equal(await counted('success'), '2');
  writeFileSync(file, 'kind: Odd');
  await eventually('a file that cannot be used', async () => await counted('failure'));
  assert.deepEqual(await added(), { added: 'yes' });
  rmSync(file);
  await eventually('a map as it was sent', async () =>
    (await added()) === undefined ? true : undefined,
  );
});

test('objects of files are not those of the API, and bind nothing of it', async () => {
  const all = await send('GET', `${ADMISSION}/validatingadmissionpolicies`);
  assert.deepEqual(all.body['items'], []);
  const made = await send('POST', `${ADMISSION}/validatingadmissionpolicies`, {
    metadata: { name: 'names.static.k8s.io' },
    spec: policy('names', 'true', rules('', 'configmaps'))['spec'],
  });
  assert.equal(made.status, 422);
});

const faults: readonly (readonly [string, ManifestPlugin, (() => Json) | string, RegExp])[] = [
  [
    'a kind of another plugin',
    'ValidatingAdmissionPolicy',
    () => webhooks('ValidatingWebhookConfiguration', '/x', []),
    /unsupported resource type/,
  ],
  [
    'a plain name',
    'ValidatingAdmissionPolicy',
    () => ({ ...policy('a', 'true', rules('', 'pods')), metadata: { name: 'a' } }),
    /must have a name ending with "\.static\.k8s\.io"/,
  ],
  [
    'no name',
    'ValidatingAdmissionPolicy',
    () => ({ ...policy('a', 'true', rules('', 'pods')), metadata: {} }),
    /name or generateName is required|must have a name/,
  ],
  [
    'a field that nobody knows',
    'ValidatingAdmissionPolicy',
    () => ({ ...policy('a', 'true', rules('', 'pods')), odd: 1 }),
    /unknown field "odd"/,
  ],
  [
    'a binding of nothing',
    'ValidatingAdmissionPolicy',
    () => binding('a'),
    /references policy "a\.static\.k8s\.io" which does not exist/,
  ],
  [
    'an expression that is none',
    'ValidatingAdmissionPolicy',
    () => policy('a', '(', rules('', 'pods')),
    /compilation failed/,
  ],
  [
    'a service',
    'ValidatingAdmissionWebhook',
    () => served(),
    /clientConfig\.service is not supported for static manifests/,
  ],
  ['no YAML', 'ValidatingAdmissionWebhook', 'a: [', /error loading/],
];

function served(): Json {
  const own = webhooks('ValidatingWebhookConfiguration', '/x', rules('', 'pods'));
  const [one] = own['webhooks'] as Json[];
  const service = { namespace: 'a', name: 'b' };
  return { ...own, webhooks: [{ ...one, clientConfig: { service } }] };
}

for (const [what, plugin, content, words] of faults) {
  test(`manifests that cannot be used: ${what}`, () => {
    const place = mkdtempSync(at('fault-'));
    const text = typeof content === 'string' ? content : JSON.stringify(content());
    writeFileSync(join(place, 'one.yaml'), text);
    const options = { plugin, folder: place, registry: new TypeRegistry(), onLoaded: () => {} };
    assert.throws(() => new StaticManifests(options), words);
  });
}
