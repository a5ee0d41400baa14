// Requests for what a server says of itself (discovery, OpenAPI, health, keys, version, statusz, flagz) in every form
// that clients ask for, and what of the answers can be compared.
import { parse } from 'yaml';
import type { RawAnswer, Target } from './kube-sender.ts';
import { senderTo } from './kube-sender.ts';

const AGGREGATED = 'g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const openApi = (version: string): string =>
  `application/com.github.proto-openapi.spec.${version}@v1.0+protobuf`;

const plainForms = [
  '',
  'application/json',
  'application/yaml',
  PROTOBUF,
  'application/cbor',
  'application/*',
  'text/plain',
  'text/*',
  '*/*',
  `application/json;q=0.1,${PROTOBUF}`,
];
const discoveryForms = [
  ...plainForms,
  `application/json;${AGGREGATED}`,
  `application/json;${AGGREGATED};profile=nopeer`,
  `application/yaml;${AGGREGATED}`,
  `${PROTOBUF};${AGGREGATED}`,
  `application/json,application/json;${AGGREGATED}`,
  'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList',
];
const openApiForms = [
  ...plainForms,
  openApi('v2'),
  openApi('v3'),
  openApi('v2').replace('@', '.'),
  openApi('v3').replace('@', '.'),
  `${openApi('v2')},application/json`,
];
const config = (kind: string, version: string): string => `g=config.k8s.io;v=${version};as=${kind}`;
const componentForms = [
  ...plainForms,
  ...['Statusz', 'Flagz'].flatMap((kind) => [
    `application/json;${config(kind, 'v1beta1')}`,
    `application/yaml;${config(kind, 'v1alpha1')}`,
    `${PROTOBUF};${config(kind, 'v1beta1')}`,
    `text/plain;${config(kind, 'v1beta1')}`,
    `application/json;${config(kind, 'v1')},text/plain`,
  ]),
];

const formsOf: readonly (readonly [path: string, forms: readonly string[]])[] = [
  ['/api', discoveryForms],
  ['/apis', discoveryForms],
  ...['/api/v1', '/apis/apps', '/apis/apps/v1', '/apis/none', '/apis/none/v1', '/apis/apps/v9'].map(
    (path) => [path, plainForms] as const,
  ),
  ['/openapi/v2', openApiForms],
  ['/openapi/v3', ['', 'application/yaml']],
  ['/openapi/v3/apis/apps/v1', openApiForms],
  ['/version', plainForms],
  ['/openid/v1/jwks', [...plainForms, 'application/jwk-set+json']],
  ['/.well-known/openid-configuration', plainForms],
  ['/statusz', componentForms],
  ['/flagz', componentForms],
  ['/statusz/', ['']],
  ['/flagz/more', ['']],
  ['/', ['', 'text/plain']],
  ...['healthz', 'livez', 'readyz'].flatMap((one) =>
    [
      `/${one}`,
      `/${one}/`,
      `/${one}?verbose`,
      `/${one}?verbose&exclude=etcd&exclude=no`,
      `/${one}/ping`,
    ].map((path) => [path, ['']] as const),
  ),
  ['/livez/poststarthook/rbac/bootstrap-roles', ['']],
  ['/livez/none', ['']],
];

const methodPaths =
  `/api /apis /api/v1 /apis/apps /apis/apps/v1 /openapi/v2 /openapi/v3 /openapi/v3/api/v1 /version
  /openid/v1/jwks /.well-known/openid-configuration /statusz /flagz /livez /metrics /`.split(/\s+/);

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly accept: string;
}

const asked: readonly Asked[] = [
  ...formsOf.flatMap(([path, forms]) => forms.map((accept) => ({ method: 'GET', path, accept }))),
  ...['POST', 'DELETE', 'HEAD', 'OPTIONS'].flatMap((method) =>
    methodPaths.map((path) => ({ method, path, accept: '' })),
  ),
];

/** What of the head is for the client to see; tags and dates only whether they are there. */
function headOf({ headers }: RawAnswer): Record<string, string> {
  const shown: Record<string, string> = {};
  for (const name of ['content-type', 'cache-control', 'warning', 'x-content-type-options']) {
    if (headers[name] !== undefined) shown[name] = String(headers[name]);
  }
  for (const name of ['etag', 'last-modified', 'expires']) {
    if (headers[name] !== undefined) shown[name] = 'there';
  }
  // A server that packs says so, and this is no difference.
  const vary = String(headers.vary ?? '').split(/,\s*/);
  const others = vary.filter((one) => one !== '' && one !== 'Accept-Encoding');
  if (others.length > 0) shown['vary'] = others.join(', ');
  return shown;
}

const isDocument = (path: string): boolean => path.startsWith('/openapi/');
/** What depends on where and when a server runs. */
const ownFields = /"(?:serverAddress|jwks_uri|issuer|startTime)": ?"[^"]*"|"uptimeSeconds": ?\d+/g;
const ownBody = /^\/(?:openid|version|metrics|$|flagz|\.well-known)/;

function linesOfStatus(text: string): string {
  return text.replaceAll(
    /^(Started|Up|Go version|Binary version|Emulation version|Paths)[:= ]+.*$/gm,
    '$1',
  );
}

function bodyOf({ path, accept }: Asked, { status, bytes, headers }: RawAnswer): unknown {
  if (status >= 400) {
    const isYaml = String(headers['content-type']).startsWith('application/yaml');
    return isYaml ? (parse(bytes.toString()) as unknown) : bytes.toString('latin1');
  }
  if (isDocument(path) || ownBody.test(path)) return bytes.length > 0 ? '(a document)' : '';
  const type = String(headers['content-type']);
  if (type.startsWith(PROTOBUF)) return path === '/api' ? '(bytes)' : bytes.toString('base64');
  if (path === '/statusz' && !type.startsWith('application/json')) {
    return type.startsWith('text/') ? linesOfStatus(bytes.toString()) : '(a document)';
  }
  const text = bytes.toString().replaceAll(ownFields, '(own)');
  if (type.startsWith('application/yaml')) return path === '/api' ? '(text)' : text;
  return accept.includes('as=') && type.startsWith('application/json') && path !== '/statusz'
    ? (JSON.parse(bytes.toString()) as unknown)
    : text.replaceAll(/"goVersion":"[^"]*",?/g, '');
}

export interface ServerAnswer {
  readonly status: number;
  readonly head: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** By `METHOD path [accept]`. */
export type ServerAnswers = Readonly<Record<string, ServerAnswer>>;

export async function askAll(target: Target): Promise<ServerAnswers> {
  const send = senderTo(target);
  const answers: Record<string, ServerAnswer> = {};
  for (const one of asked) {
    const { method, path, accept } = one;
    const headers = accept === '' ? {} : { accept };
    const answer = await send({ method, path, headers: { 'user-agent': 'steps', ...headers } });
    const { status } = answer;
    answers[`${method} ${path} [${accept}]`] = {
      status,
      head: headOf(answer),
      body: bodyOf(one, answer),
    };
  }
  return answers;
}

/** What each of two requests for the same document says that a client sends to have it only when it has changed. */
export async function askAgain(target: Target, path: string, accept: string): Promise<number[]> {
  const send = senderTo(target);
  const first = await send({ method: 'GET', path, headers: { accept } });
  const etag = String(first.headers.etag);
  const statuses: number[] = [];
  for (const given of [etag, '"other"']) {
    const headers = { accept, 'if-none-match': given };
    statuses.push((await send({ method: 'GET', path, headers })).status);
  }
  return [first.status, ...statuses];
}
