// The proxy of pods and services: bytes, paths, queries, redirects, links and upgrades reach what a pod serves;
// addresses of this machine, and endpoints that are no pod's, are refused.
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { request } from 'node:https';
import { networkInterfaces } from 'node:os';
import test from 'node:test';
import { sendStep, type Step } from '#test/support/step-player.ts';
import { startOwnServer, type OwnServer } from '#test/support/step-target.ts';

/** An address of this machine that is not its loopback. */
function outerAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.find(({ family, address }) => family === 'IPv4' && !address.startsWith('127.'))
    ?.address;
}

const host = outerAddress();

async function startPodServer(): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer((asked, answer) => {
    if (asked.url === '/moved') return void answer.writeHead(302, { location: '/here' }).end();
    if (asked.url === '/page') {
      answer.writeHead(200, { 'content-type': 'text/html' });
      return void answer.end(
        '<a href="/x">x</a> <img src="y.png"> <a href="https://a.test/z">z</a>',
      );
    }
    const { method, url, headers } = asked;
    const chunks: Buffer[] = [];
    asked.on('data', (chunk: Buffer) => chunks.push(chunk));
    asked.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const { authorization, 'x-forwarded-uri': uri } = headers;
      answer.end(JSON.stringify({ method, url, body, authorization, uri }));
    });
  });
  server.on('upgrade', (_asked, socket) => {
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n',
    );
    socket.pipe(socket);
  });
  await new Promise<void>((done) => server.listen(0, host ?? '127.0.0.1', done));
  const address = server.address();
  return { server, port: typeof address === 'object' ? (address?.port ?? 0) : 0 };
}

const home = '/api/v1/namespaces/default';
const merge = 'application/merge-patch+json';

async function send(own: OwnServer, method: string, path: string, more: Partial<Step> = {}) {
  return await sendStep(own.target, { name: path, method, path, ...more });
}

async function make(own: OwnServer, port: number): Promise<void> {
  const { target } = own;
  const create = async (path: string, body: object): Promise<void> => {
    const { status, body: answer } = await sendStep(target, {
      name: path,
      method: 'POST',
      path,
      body,
    });
    assert.equal(status, 201, JSON.stringify(answer));
  };
  await create(`${home}/serviceaccounts`, { metadata: { name: 'default' } });
  for (const name of ['web', 'loop']) {
    const containers = [{ name: 'm', image: 'a', ports: [{ containerPort: port }] }];
    await create(`${home}/pods`, { metadata: { name }, spec: { containers } });
    const ip = name === 'web' ? host : '127.0.0.1';
    const status = { podIP: ip, podIPs: [{ ip }] };
    await send(own, 'PATCH', `${home}/pods/${name}/status`, { type: merge, body: { status } });
  }
  const spec = { ports: [{ name: 'http', port: 80, targetPort: port }] };
  await create(`${home}/services`, { metadata: { name: 'web' }, spec });
  const slice = (name: string, pod: string): object => ({
    metadata: { name, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port }],
    endpoints: [{ addresses: [host], targetRef: { kind: 'Pod', namespace: 'default', name: pod } }],
  });
  await create('/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', slice('web', 'web'));
  await create(`${home}/services`, { metadata: { name: 'lies' }, spec });
  await create(
    '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices',
    slice('lies', 'loop'),
  );
}

function location(own: OwnServer, path: string): Promise<string | undefined> {
  return new Promise((done, fail) => {
    const call = request(own.target.server + path, { agent: own.target.agent }, (answer) => {
      answer.resume();
      done(answer.headers.location);
    });
    call.on('error', fail);
    call.end();
  });
}

void test(
  'what a pod serves is reached through the API server',
  { skip: host === undefined ? 'this machine has no address but its loopback' : false },
  async (t) => {
    const own = await startOwnServer();
    const { server, port } = await startPodServer();
    try {
      await make(own, port);
      const pod = `${home}/pods/web/proxy`;
      await t.test('paths, queries and bodies', async () => {
        const { body } = await send(own, 'POST', `${pod}/a%20b/?c=d&e`, { body: 'text' });
        const expected = { method: 'POST', url: '/a%20b/?c=d&e', body: 'text' };
        assert.deepEqual(body, { ...expected, uri: `${pod}/a%20b/` });
      });
      await t.test('a port and a scheme in the name', async () => {
        const named = `${home}/pods/http:web:${port}/proxy/x`;
        const { body } = await send(own, 'GET', named);
        assert.equal((body as { url: string }).url, '/x');
        const wrong = await send(own, 'GET', `${home}/pods/ftp:web:1/proxy/x`);
        assert.equal(wrong.status, 400);
      });
      await t.test('services by name, number and name of the port', async () => {
        for (const name of ['web:http', 'web:80', 'http:web:http']) {
          const { status } = await send(own, 'GET', `${home}/services/${name}/proxy/x`);
          assert.equal(status, 200, name);
        }
        const { status, body } = await send(own, 'GET', `${home}/services/web:81/proxy/x`);
        assert.equal(status, 503);
        assert.match(JSON.stringify(body), /no service port 81 found for service/);
      });
      await t.test('redirects and links lead back', async () => {
        assert.equal(await location(own, `${pod}/moved`), `${pod}/here`);
        assert.equal(await location(own, pod), `${pod}/`);
        const { body } = await send(own, 'GET', `${pod}/page`);
        const page = `<a href="${pod}/x">x</a> <img src="y.png"> <a href="https://a.test/z">z</a>`;
        assert.equal(body, page);
      });
      await t.test('neither this machine nor what is no pod is reached', async () => {
        const loop = await send(own, 'GET', `${home}/pods/loop/proxy/x`);
        assert.equal(loop.status, 400);
        assert.match(JSON.stringify(loop.body), /address not allowed/);
        const lies = await send(own, 'GET', `${home}/services/lies:http/proxy/x`);
        assert.equal(lies.status, 503);
      });
      await t.test('upgrades', async () => {
        const said = await new Promise<string>((done, fail) => {
          const headers = { connection: 'Upgrade', upgrade: 'echo' };
          const call = request(`${own.target.server}${pod}/up`, {
            agent: own.target.agent,
            headers,
          });
          call.on('upgrade', (_answer, socket) => {
            socket.once('data', (chunk: Buffer) => {
              socket.destroy();
              done(chunk.toString());
            });
            socket.write('hello');
          });
          call.on('error', fail);
          call.end();
        });
        assert.equal(said, 'hello');
      });
    } finally {
      server.closeAllConnections();
      await own.close();
      await new Promise((done) => server.close(done));
    }
  },
);
