// What lists are told and what they give: selectors of every shape, fields of every resource, pages, versions, forms of
// the answer and the query itself, right and wrong. Kept short: names instead of objects, words instead of statuses.
import type { RawAnswer, SendRaw } from '#test/support/kube-sender.ts';
import { kinds, type Json, type KindCase } from './kinds.ts';
import type { Entry } from './player.ts';
import type { Recording } from './record.ts';

const HOME = '/api/v1/namespaces/lists';
const MAPS = `${HOME}/configmaps`;

/** What an answer says, in one line. */
function told({ status, headers, bytes }: RawAnswer): string {
  const type = String(headers['content-type'] ?? '');
  if (!type.startsWith('application/json')) return `${status} ${type} ${shortText(bytes)}`;
  const text = bytes.toString();
  let body: Json;
  try {
    body = JSON.parse(text) as Json;
  } catch {
    return `${status} ${type} several`;
  }
  const { kind, message, reason, items, rows, metadata, details } = body;
  const suffix = type === 'application/json' ? '' : ` ${type}`;
  if (kind === 'Status') {
    const { causes } = (details ?? {}) as { causes?: unknown };
    const more = causes === undefined ? '' : ` ${JSON.stringify(causes)}`;
    return plain(`${status} ${String(reason)}: ${String(message)}${more}${suffix}`);
  }
  const list = (items ?? rows) as Json[] | null | undefined;
  if (!Array.isArray(list)) return plain(`${status} ${String(kind)}${suffix}`);
  const { continue: next, remainingItemCount: left } = metadata as Json;
  const names = list.map((one) => nameOf(one)).filter((name) => !name.startsWith('kube-root'));
  return plain(
    `${status} ${String(kind)} [${names.join(' ')}]` +
      `${next === undefined ? '' : ` next ${tokenText(String(next))}`}` +
      `${left === undefined ? '' : ` left ${JSON.stringify(left)}`}${suffix}`,
  );
}

const shortText = (bytes: Buffer): string => {
  const text = bytes.toString();
  return /^[\x20-\x7e\n]*$/.test(text) && text.length < 300 ? plain(text) : '…';
};

function nameOf(one: Json): string {
  const { name } = ((one['object'] ?? one) as { metadata?: { name?: string } }).metadata ?? {};
  return name ?? '';
}

const tokenText = (token: string): string =>
  token === ''
    ? ''
    : Buffer.from(token, 'base64url')
        .toString()
        .replace(/"rv":\d+/, '"rv":0');

const plain = (text: string): string =>
  text
    .replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<uid>')
    // Bytes that are no text: they are one sign by the time that they are shown here.
    .replaceAll(/\\+x[89a-f][0-9a-f]/g, '\ufffd')
    .replaceAll(/current: \d+/g, 'current: <version>')
    .replaceAll(/in record \(\d+\)/g, 'in record (<version>)');

class Asker {
  readonly entries: Entry[] = [];
  readonly #send: SendRaw;

  constructor(send: SendRaw) {
    this.#send = send;
  }

  async raw(method: string, path: string, body?: unknown, headers: Json = {}): Promise<RawAnswer> {
    const text = body === undefined || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const own = body === undefined ? {} : { 'content-type': 'application/json' };
    return await this.#send({
      method,
      path,
      headers: { accept: 'application/json', ...own, ...headers } as Record<string, string>,
      body: text,
    });
  }

  async ask(step: string, ...request: Parameters<Asker['raw']>): Promise<string> {
    const body = told(await this.raw(...request));
    this.entries.push({ step, status: 200, headers: {}, body });
    return body;
  }
}

const enc = encodeURIComponent;

const labels: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  a: { app: 'x', tier: 'front', n: '1', 'example.com/k': 'v' },
  b: { app: 'y', tier: 'back', n: '20', empty: '' },
  c: { app: 'x', n: 'three', in: 'notin' },
  d: {},
};

const labelSelectors = [
  'app=x', 'app==x', 'app!=x', 'app', '!app', '! app', 'app in (x)', 'app in (x,y)', 'app in (x, y )', 'app notin (x)',
  'app notin (x,y)', 'app in ()', 'app notin ()', 'app in (,)', 'app in (x,,y)', 'app in x', 'app in (x', 'app in',
  'app notin', 'app,tier', 'app,,tier', 'app,', ',app', ',', ' ', '', 'app = x', 'app=x,tier=front', 'app=x,app=y',
  'app=', 'empty=', 'empty!=', 'empty', 'n>1', 'n<5', 'n>0,n<30', 'n>x', 'n<', 'n>-1', 'n>1.5', 'n>=1', 'n=>1',
  'n gt 1', 'example.com/k=v', 'example.com/k', 'a/b/c=d', '/k=v', 'example.com/=v', 'Bad Key=v', 'app=bad value',
  'app=bad/value', 'app=-x', 'app=x-', `app=${'x'.repeat(64)}`, `${'x'.repeat(64)}=a`, 'in in (notin)', 'in', 'notin',
  'in=notin', '!in', 'app!x', '!app=x', '!!app', 'app=x=y', 'app==', 'app===x', '(app)', 'app=(x)', 'app in (x) tier',
  'app in (x),tier notin (back)', 'app in (x);tier', 'app\t=\tx', 'app\n=x', 'ä=x', 'app=ä', 'app="x"', "app='x'",
  'app in (x y)', 'app exists', 'app!=x,app!=y', 'app notin (x),!tier',
]; // prettier-ignore

const fieldSelectors = [
  'metadata.name=a', 'metadata.name==a', 'metadata.name!=a', 'metadata.name=', 'metadata.name!=', 'metadata.name',
  'metadata.name=a,metadata.name=b', 'metadata.name=a,metadata.namespace=lists', 'metadata.namespace=other',
  'metadata.namespace!=other', ' metadata.name=a', 'metadata.name =a', 'metadata.name= a', 'metadata.name=a,',
  ',metadata.name=a', ',', '', ' ', '=', '==', '!=', '=a', 'a', 'a,metadata.name=a', 'metadata.uid=x', 'spec.x=y',
  'data.a=b', 'metadata.labels.app=x', 'metadata.name=a\\,b', 'metadata.name=a\\=b', 'metadata.name=a\\\\b',
  'metadata.name=a\\b', 'metadata.name=a\\', 'metadata.name=a=b', 'metadata.name===a', 'metadata.name>a',
  'metadata.name in (a)', 'metadata.name=A', 'metadata.name=ä', 'z=1,b=2,a=3', 'metadata.name!=a,metadata.name!=b',
]; // prettier-ignore

async function playSelectors(asker: Asker): Promise<void> {
  for (const one of labelSelectors) {
    await asker.ask(`label ${JSON.stringify(one)}`, 'GET', `${MAPS}?labelSelector=${enc(one)}`);
  }
  for (const one of fieldSelectors) {
    await asker.ask(`field ${JSON.stringify(one)}`, 'GET', `${MAPS}?fieldSelector=${enc(one)}`);
  }
  const both = `${MAPS}?labelSelector=app%3Dx&fieldSelector=metadata.name!%3Da`;
  await asker.ask('label and field', 'GET', both);
  await asker.ask('label twice', 'GET', `${MAPS}?labelSelector=app%3Dx&labelSelector=app%3Dy`);
  await asker.ask(
    'bad label and bad field',
    'GET',
    `${MAPS}?labelSelector=a%3D%3D%3D&fieldSelector=a`,
  );
}

const paged = [
  'limit=1',
  'limit=2',
  'limit=3',
  'limit=4',
  'limit=5',
  'limit=2&labelSelector=app',
  'limit=1&labelSelector=app%3Dy',
];

async function playPages(asker: Asker): Promise<void> {
  for (const query of paged) {
    let next = '';
    for (let page = 1; page < 8; page++) {
      const path = `${MAPS}?${query}${next === '' ? '' : `&continue=${next}`}`;
      const { bytes } = await asker.raw('GET', path);
      await asker.ask(`${query} page ${page}`, 'GET', path);
      const body = JSON.parse(bytes.toString()) as { metadata: { continue?: string } };
      next = body.metadata.continue ?? '';
      if (next === '') break;
    }
  }
  const token = (value: unknown): string =>
    Buffer.from(JSON.stringify(value)).toString('base64url');
  const good = { v: 'meta.k8s.io/v1', rv: 1, start: 'lists/b' };
  const tokens: Readonly<Record<string, string>> = {
    'no base64': '!',
    'no JSON': 'eA',
    'a number': token(5),
    'a list': token([]),
    null: token(null),
    'no version': token({ ...good, v: undefined }),
    'another version': token({ ...good, v: 'v2' }),
    'no revision': token({ ...good, rv: undefined }),
    'revision 0': token({ ...good, rv: 0 }),
    'a text for a revision': token({ ...good, rv: 'x' }),
    'no start': token({ ...good, start: undefined }),
    'empty start': token({ ...good, start: '' }),
    'start above': token({ ...good, start: '../x' }),
    'start with a slash': token({ ...good, rv: -1, start: '/b' }),
    'start in the middle': token({ ...good, rv: -1, start: 'b' }),
    'a revision to come': token({ ...good, rv: 1_000_000 }),
    negative: token({ ...good, rv: -2 }),
    padded: `${token({ ...good, rv: -1, start: 'b1' })}=`,
  };
  for (const [name, text] of Object.entries(tokens)) {
    await asker.ask(`continue by ${name}`, 'GET', `${MAPS}?limit=1&continue=${enc(text)}`);
  }
  const go = token({ ...good, rv: -1, start: 'b' });
  for (const more of [
    'resourceVersion=1',
    'resourceVersion=0',
    'resourceVersionMatch=Exact',
    'resourceVersion=1&resourceVersionMatch=Exact',
    'resourceVersion=1&resourceVersionMatch=NotOlderThan',
    'watch=true',
    'sendInitialEvents=true',
  ]) {
    await asker.ask(`continue with ${more}`, 'GET', `${MAPS}?continue=${go}&${ended(more)}`);
  }
}

const queries = [
  'limit=-1', 'limit=1.5', 'limit=x', 'limit=', 'limit=%2B1', 'limit=01', 'limit=1e3', 'limit=9223372036854775807',
  'limit=9223372036854775808', 'limit=1&limit=2', 'limit=0x1', 'limit=%201', 'timeoutSeconds=-1', 'timeoutSeconds=x',
  'timeoutSeconds=0', 'timeoutSeconds=1.5', 'resourceVersion=-1', 'resourceVersion=01', 'resourceVersion=%2B1',
  'resourceVersion=1x', 'resourceVersion=18446744073709551615', 'resourceVersion=18446744073709551616',
  'resourceVersion=1', 'resourceVersion=0&limit=1', 'resourceVersion=1&limit=1', 'resourceVersion=x&limit=1',
  'resourceVersion=1&resourceVersionMatch=Exact', 'resourceVersion=0&resourceVersionMatch=NotOlderThan',
  'resourceVersion=0&resourceVersionMatch=Exact', 'resourceVersionMatch=NotOlderThan', 'resourceVersionMatch=',
  'resourceVersionMatch=exact', 'resourceVersion=1&resourceVersionMatch=Odd', 'sendInitialEvents=false',
  'sendInitialEvents=true', 'sendInitialEvents=x', 'sendInitialEvents=', 'watch=x', 'watch=false', 'watch=0', 'watch=',
  'allowWatchBookmarks=x', 'allowWatchBookmarks=true', 'pretty=x', 'pretty=1', 'pretty=', 'odd=1', 'fieldManager=x',
  'dryRun=All', 'dryRun=x', 'shardSelector=x', 'LabelSelector=app%3Dx', 'labelselector=app%3Dx', 'includeUninitialized=true',
  'limit=1;limit=2', 'a=%zz', '%zz=1', 'labelSelector=%zz', '&&limit=1', '=', 'limit', 'watch=true&resourceVersionMatch=Exact',
  'watch=true&sendInitialEvents=true', 'watch=true&sendInitialEvents=true&resourceVersionMatch=Exact',
  'watch=true&sendInitialEvents=x', 'watch=true&resourceVersion=x', 'watch=true&resourceVersion=18446744073709551616',
  'watch=true&timeoutSeconds=x', 'watch=true&limit=x', 'watch=true&continue=x&resourceVersionMatch=NotOlderThan',
  'watch=true&labelSelector=a%3D%3D%3D', 'watch=true&fieldSelector=a', 'watch=true&fieldSelector=spec.x%3D1',
  'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=x',
  'watch=x&resourceVersion=x', 'watch=1&resourceVersion=x',
]; // prettier-ignore

const gets = [
  'resourceVersion=0',
  'resourceVersion=x',
  'resourceVersion=-1',
  'resourceVersion=1000000',
  'pretty=true',
  'limit=x',
  'labelSelector=%3D',
  'fieldSelector=x',
  'watch=true&resourceVersion=x',
  'watch=x&resourceVersion=x',
  'timeoutSeconds=x',
  'continue=x',
  'export=true',
  'exact=true',
];

const writes = [
  'dryRun=', 'dryRun=All', 'dryRun=all', 'dryRun=All,All', 'dryRun=All&dryRun=All', 'dryRun=None', 'fieldValidation=Strict&dryRun=All',
  'fieldValidation=strict', 'fieldValidation=', 'fieldValidation=Warn&fieldValidation=Strict', 'fieldManager=', 'fieldManager=a%0Ab',
  `fieldManager=${'m'.repeat(128)}&dryRun=All`, `fieldManager=${'m'.repeat(129)}`, `fieldManager=${enc('ä'.repeat(64))}&dryRun=All`,
  'fieldManager=%C2%A0', 'force=true', 'force=x', 'force=', 'pretty=x&dryRun=All', 'limit=x&dryRun=All', 'gracePeriodSeconds=x&dryRun=All',
  'propagationPolicy=x&dryRun=All', 'resourceVersion=x&dryRun=All', 'timeout=1s&dryRun=All', 'timeout=x', 'timeout=-1s', 'timeout=1000h', 'timeout=0',
]; // prettier-ignore

const deletes = [
  'gracePeriodSeconds=-1', 'gracePeriodSeconds=0', 'gracePeriodSeconds=x', 'gracePeriodSeconds=', 'gracePeriodSeconds=1.5',
  'gracePeriodSeconds=99999999999999999999', 'orphanDependents=x', 'orphanDependents=', 'orphanDependents=true', 'propagationPolicy=',
  'propagationPolicy=orphan', 'propagationPolicy=Orphan&orphanDependents=false', 'preconditions.uid=x', 'uid=x', 'resourceVersion=x',
  'ignoreStoreReadErrorWithClusterBreakingPotential=true', 'ignoreStoreReadErrorWithClusterBreakingPotential=x', 'dryRun=x', 'fieldManager=x', 'labelSelector=%3D',
]; // prettier-ignore

const dry = (query: string): string => (query.includes('dryRun') ? query : `dryRun=All&${query}`);

/** A watch that is taken has to end. */
const ended = (query: string): string =>
  query.includes('watch=') && !query.includes('timeoutSeconds')
    ? `${query}&timeoutSeconds=1`
    : query;

async function playQueries(asker: Asker): Promise<void> {
  for (const query of queries) await asker.ask(`list ${query}`, 'GET', `${MAPS}?${ended(query)}`);
  for (const query of gets) await asker.ask(`get ${query}`, 'GET', `${MAPS}/a?${ended(query)}`);
  const made = { metadata: { name: 'made' } };
  for (const query of writes) {
    await asker.ask(`create ${query}`, 'POST', `${MAPS}?${dry(query)}`, made);
    await asker.ask(`put ${query}`, 'PUT', `${MAPS}/a?${dry(query)}`, { metadata: { name: 'a' } });
    const merge = { 'content-type': 'application/merge-patch+json' };
    await asker.ask(`patch ${query}`, 'PATCH', `${MAPS}/a?${dry(query)}`, {}, merge);
    const apply = { 'content-type': 'application/apply-patch+yaml' };
    const whole = { apiVersion: 'v1', kind: 'ConfigMap', ...made };
    await asker.ask(`apply ${query}`, 'PATCH', `${MAPS}/made?${dry(query)}`, whole, apply);
  }
  for (const query of deletes) {
    await asker.ask(`delete ${query}`, 'DELETE', `${MAPS}/a?${dry(query)}`);
    await asker.ask(`delete all ${query}`, 'DELETE', `${MAPS}?${dry(query)}`);
  }
}

const TABLE = 'as=Table;v=v1;g=meta.k8s.io';
const PARTIAL = 'as=PartialObjectMetadata;v=v1;g=meta.k8s.io';

const accepts = [
  '', '*/*', 'application/*', 'text/*', 'text/html', 'application/json', 'APPLICATION/JSON', 'application/json;q=0',
  'application/json;q=0,*/*', 'application/yaml', 'application/yaml;q=0.5,application/json;q=0.4', 'text/yaml', 'application/xml,application/json',
  'application/vnd.kubernetes.protobuf', 'application/vnd.kubernetes.protobuf,application/json', 'application/cbor', 'application/json, */*;q=0.1',
  `application/json;${TABLE}`, `application/json;${TABLE},application/json`, `application/yaml;${TABLE}`,
  `application/vnd.kubernetes.protobuf;${TABLE}`, 'application/json;as=Table;v=v1beta1;g=meta.k8s.io', 'application/json;as=Table;v=v2;g=meta.k8s.io',
  'application/json;as=Table;v=v1', 'application/json;as=Table;g=meta.k8s.io', 'application/json;as=Table;v=v1;g=apps', 'application/json;as=table;v=v1;g=meta.k8s.io',
  `application/json;${PARTIAL}`, `application/yaml;${PARTIAL}`, `application/vnd.kubernetes.protobuf;${PARTIAL}`,
  'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io', 'application/json;as=PartialObjectMetadata;v=v1beta1;g=meta.k8s.io',
  'application/json;as=Odd;v=v1;g=meta.k8s.io', `application/json;as=Odd;v=v1;g=meta.k8s.io,application/json;${TABLE}`, 'application/json;as=', 'application/json;v=v1;g=meta.k8s.io',
  'application/json;stream=watch', 'application/json;stream=odd', 'application/json;charset=utf-8', 'application/json;odd=1', 'application/json;pretty=1', 'application/json;indent=1',
  'json', 'application', 'application/json;', ';', ',', 'application/json,,', '*', 'q=1', 'application/json;q=x', 'application/json;q=2', 'application/json/x', 'image/png;q=0.9,*/*;q=0.8', 'application/apply-patch+yaml', 'application/merge-patch+json', 'application/problem+json',
]; // prettier-ignore

const contentTypes = [
  '', 'application/json', 'application/json;charset=utf-8', 'application/json; charset=latin1', 'APPLICATION/JSON', 'text/plain', 'text/json', 'application/yaml', 'text/yaml', 'application/x-yaml',
  'application/xml', 'application/*', '*/*', 'json', 'application/vnd.kubernetes.protobuf', 'application/cbor', 'application/json,application/yaml', 'application/x-www-form-urlencoded', 'multipart/form-data', 'application/merge-patch+json', 'application/apply-patch+yaml', 'application/strategic-merge-patch+json', 'application/json-patch+json', 'application/octet-stream', ';', 'application/json;stream=watch',
]; // prettier-ignore

async function playForms(asker: Asker): Promise<void> {
  for (const accept of accepts) {
    await asker.ask(`list as ${accept}`, 'GET', MAPS, undefined, { accept });
    await asker.ask(`get as ${accept}`, 'GET', `${MAPS}/a`, undefined, { accept });
    await asker.ask(`missing as ${accept}`, 'GET', `${MAPS}/none`, undefined, { accept });
    await asker.ask(`badly as ${accept}`, 'GET', `${MAPS}?limit=x`, undefined, { accept });
    await asker.ask(`discovery as ${accept}`, 'GET', '/apis/apps/v1', undefined, { accept });
  }
  for (const one of ['None', 'Metadata', 'Object', 'none', 'Odd', '']) {
    for (const path of [MAPS, `${MAPS}/a`]) {
      const accept = `application/json;${TABLE}`;
      await asker.ask(
        `table of ${path} with ${one}`,
        'GET',
        `${path}?includeObject=${one}`,
        undefined,
        { accept },
      );
    }
  }
  const made = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'made' } };
  for (const type of contentTypes) {
    const headers = { 'content-type': type };
    await asker.ask(`create by ${type}`, 'POST', `${MAPS}?dryRun=All`, made, headers);
    await asker.ask(
      `put by ${type}`,
      'PUT',
      `${MAPS}/a?dryRun=All`,
      { ...made, metadata: { name: 'a' } },
      headers,
    );
    await asker.ask(
      `patch by ${type}`,
      'PATCH',
      `${MAPS}/a?dryRun=All&fieldManager=x`,
      {},
      headers,
    );
    await asker.ask(`delete by ${type}`, 'DELETE', `${MAPS}/a`, { dryRun: ['All'] }, headers);
    await asker.ask(
      `evict by ${type}`,
      'POST',
      `${HOME}/pods/none/eviction`,
      { metadata: { name: 'none' } },
      headers,
    );
  }
}

const rootOf = (apiVersion: string): string =>
  apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;

/** Of every resource: which fields it may be selected by, and what it says of the others. */
async function playFields(asker: Asker, paths: readonly string[]): Promise<void> {
  for (const one of kinds) {
    const placed = one.isClusterWide === true ? '' : '/namespaces/lists';
    const path = `${rootOf(one.apiVersion)}${placed}/${one.resource}`;
    const words = new Map<string, string[]>();
    for (const field of paths) {
      const said = told(await asker.raw('GET', `${path}?fieldSelector=${enc(`${field}=no-such`)}`));
      const key = said.replaceAll(field, '<field>');
      words.set(key, [...(words.get(key) ?? []), field]);
    }
    const step = `fields of ${one.apiVersion} ${one.resource}`;
    asker.entries.push({ step, status: 200, headers: {}, body: Object.fromEntries(words) });
  }
}

const fields =
  `metadata.name metadata.namespace metadata.uid spec.nodeName spec.restartPolicy spec.schedulerName
  spec.serviceAccountName spec.hostNetwork status.phase status.podIP status.podIPs status.nominatedNodeName
  spec.unschedulable type spec.clusterIP spec.type status.replicas involvedObject.kind involvedObject.name
  regarding.name reason reportingComponent reportingController source status.successful spec.signerName spec.podName
  spec.driver spec.pool.name status.hostIP spec.x name`.split(/\s+/);

/** Protobuf that is cut off, or has one byte changed. */
async function playProtobuf(asker: Asker): Promise<void> {
  const accept = 'application/vnd.kubernetes.protobuf';
  const { bytes } = await asker.raw('GET', `${MAPS}/a`, undefined, { accept });
  const headers = { 'content-type': accept };
  const send = async (step: string, body: Buffer): Promise<string> =>
    await asker.ask(step, 'PUT', `${MAPS}/a?dryRun=All`, body, headers);
  const small = minimal(bytes);
  for (let length = 0; length <= small.length; length++) {
    await send(`cut at ${length}`, small.subarray(0, length));
  }
  let seed = 20_261_130;
  const draw = (most: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor(seed / 65_536) % most;
  };
  for (let turn = 0; turn < 300; turn++) {
    const copy = Buffer.from(small);
    const [at, value] = [draw(copy.length), draw(256)];
    copy[at] = value;
    await send(`byte ${at} as ${value}, turn ${turn}`, copy);
  }
}

/** An envelope around a ConfigMap that every server makes alike: a name, a label and data. */
function minimal(_given: Buffer): Buffer {
  const field = (tag: number, ...parts: (string | Buffer)[]): Buffer => {
    const inner = Buffer.concat(
      parts.map((one) => (typeof one === 'string' ? Buffer.from(one) : one)),
    );
    return Buffer.concat([Buffer.from([(tag << 3) | 2, inner.length]), inner]);
  };
  const pair = (key: string, value: string): Buffer[] => [field(1, key), field(2, value)];
  const metadata = field(1, field(1, 'a'), field(3, 'lists'), field(11, ...pair('app', 'x')));
  const map = Buffer.concat([metadata, field(2, ...pair('key', 'value'))]);
  const type = field(1, field(1, 'v1'), field(2, 'ConfigMap'));
  return Buffer.concat([Buffer.from('k8s\0'), type, field(2, map), field(3), field(4)]);
}

async function prepared(send: SendRaw): Promise<void> {
  const asker = new Asker(send);
  await asker.raw('POST', '/api/v1/namespaces', { metadata: { name: 'lists' } });
  for (const [name, own] of Object.entries(labels)) {
    await asker.raw('POST', MAPS, { metadata: { name, labels: own }, data: { a: 'b' } });
  }
}

const parts: Readonly<Record<string, (asker: Asker) => Promise<void>>> = {
  selectors: playSelectors,
  pages: playPages,
  queries: playQueries,
  forms: playForms,
  fields: (asker) => playFields(asker, fields),
  protobuf: playProtobuf,
};

export async function playLists(send: SendRaw): Promise<Recording> {
  await prepared(send);
  const found: Record<string, readonly Entry[]> = {};
  for (const [name, play] of Object.entries(parts)) {
    const asker = new Asker(send);
    await play(asker);
    found[name] = asker.entries;
  }
  return found;
}

export type { KindCase };
