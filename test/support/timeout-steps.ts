// How long a client says that it waits: what is none is refused before anything else is looked at, but for requests
// that last.
import type { Step } from './step-player.ts';

const values = ['invalid', '5', '1d', '1h1', '-', '.s', 'ä', '0', '0s', '-1s', '3m', '+.5h', ''];
const paths = [
  '/version',
  '/healthz',
  '/nothing',
  '/api',
  '/apis/none.example.com/v1/things',
  '/openapi/v3',
  '/api/v1/namespaces/default',
  '/api/v1/namespaces/default/nothings',
  '/api/v1/namespaces/default/pods/none/log',
  '/api/v1/namespaces/default/pods/none/exec',
  '/api/v1/nodes/none/proxy/',
];
const strangers = { none: { authorization: '' }, wrong: { authorization: 'Bearer wrong' } };

const get = (path: string, headers: Record<string, string> = {}, method = 'GET'): Step => ({
  name: [method, path, ...Object.entries(headers).map((one) => one.join(' '))].join(' '),
  method,
  path,
  headers,
});

export function timeoutSteps(): Step[] {
  const place = '/api/v1/namespaces/default?timeout';
  return [
    ...values.map((value) => get(`${place}=${encodeURIComponent(value)}`)),
    get(place),
    get(`${place}=1m&timeout=no`),
    get(`${place}=no&timeout=1m`),
    ...paths.map((path) => get(`${path}?timeout=no`)),
    ...Object.values(strangers).map((headers) => get(`${place}=no`, headers)),
    get(`${place}=no`, { 'impersonate-user': 'tom' }),
    get(`${place}=no`, { accept: 'application/yaml' }),
    get(`${place}=no`, { accept: 'image/png' }),
    get('/version?timeout=no', {}, 'POST'),
    get(`${place}=no`, {}, 'DELETE'),
    get('/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=1&timeout=no'),
  ];
}
