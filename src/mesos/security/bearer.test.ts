// Bearer tokens, right and wrong: what is said of the wrong ones is what a real Mesos 1.11 agent said of
// the same headers (it was asked for those whose signature does not matter).
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { BearerAuthenticator, signToken } from './bearer.ts';

const key = Buffer.from('a key of executors');
const NOW_S = 1_700_000_000;
const realm = 'mesos-agent-executor';
const authenticator = new BearerAuthenticator(realm, key, () => NOW_S * 1_000 + 999);

type Part = object | string | number;

function base64(part: Part): string {
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
}

function token(head: Part, claims: Part, secret: Uint8Array = key): string {
  const signed = `${base64(head)}.${base64(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

const HS = { alg: 'HS256', typ: 'JWT' };
const good = token(HS, { fid: 'f', n: 5, more: { a: [1, 'b'] }, yes: true, none: null });
const header = 'Failed to decode token header: Failed to';

/** Authorization -> what is said of it. */
const wrong: readonly (readonly [string, string])[] = [
  [`Bearer ${good} x`, "Malformed 'Authorization' header"],
  ['', "Malformed 'Authorization' header"],
  [`bearer ${good}`, "Scheme 'bearer' unsupported"],
  ['Basic eDp5', "Scheme 'Basic' unsupported"],
  ['Bearer ', 'Invalid JWT: Expected 3 components in token, got 1'],
  [`Bearer ${good}.x`, 'Invalid JWT: Expected 3 components in token, got 4'],
  ['Bearer a!b.c.d', `Invalid JWT: ${header} base64url-decode: Invalid character '!'`],
  [
    `Bearer ${base64('{\n"alg" x')}.${base64({})}.x`,
    `Invalid JWT: ${header} parse into JSON: syntax error at line 2 near: x`,
  ],
  [
    `Bearer ${base64('{"alg":"HS256"} x')}.${base64({})}.x`,
    `Invalid JWT: ${header} parse into JSON: Parsed JSON included non-whitespace trailing characters:  x`,
  ],
  [
    `Bearer ${token([1] as Part, {})}`,
    `Invalid JWT: ${header} parse into JSON: Unexpected JSON type parsed`,
  ],
  [`Bearer ${token({ ...HS, typ: 5 }, {})}`, "Invalid JWT: Token 'typ' is not a string"],
  [
    `Bearer ${token({ typ: 'JWT' }, {})}`,
    "Invalid JWT: Failed to locate 'alg' in token JSON header",
  ],
  [`Bearer ${token({ alg: null }, {})}`, "Invalid JWT: Token 'alg' field is not a string"],
  [
    `Bearer ${token({ alg: 'none' }, {})}`,
    `Invalid JWT: Token 'alg' value "none" does not match, expected "HS256"`,
  ],
  [`Bearer ${token({ alg: 'HS512' }, {})}`, 'Invalid JWT: Unsupported token algorithm: HS512'],
  [`Bearer ${token({ ...HS, crit: null }, {})}`, "Invalid JWT: Token 'crit' field is unsupported"],
  [`Bearer ${token(HS, { exp: null })}`, "Invalid JWT: JSON payload 'exp' field is not a number"],
  [
    `Bearer ${token(HS, { exp: 1000.9 })}`,
    `Invalid JWT: Token has expired: exp(1000) < now(${NOW_S})`,
  ],
  [
    `Bearer ${base64(HS)}.${base64({})}.!`,
    "Invalid JWT: Failed to base64url-decode token signature: Invalid character '!'",
  ],
  [
    `Bearer ${token(HS, { a: 'b' }, Buffer.from('x'))}`,
    'Invalid JWT: Token signature does not match',
  ],
  [`Bearer ${base64(HS)}.${base64({ a: 'b' })}.`, 'Invalid JWT: Token signature does not match'],
  [`Bearer ${token(HS, {})}`, 'JWT claims missing'],
];

for (const [authorization, said] of wrong) {
  test(`BearerAuthenticator says "${said.replace('Invalid JWT: ', '')}"`, async () => {
    const challenge = `Bearer realm="${realm}", error="invalid_token", error_description="${said}"`;
    const verdict = await authenticator.authenticate(authorization);
    assert.deepEqual(verdict, { challenge, message: '401 Unauthorized.' });
  });
}

test('BearerAuthenticator tells nothing to who says nothing', async () => {
  const verdict = await authenticator.authenticate(undefined);
  assert.deepEqual(verdict, {
    challenge: `Bearer realm="${realm}"`,
    message: '401 Unauthorized.',
  });
});

test('BearerAuthenticator gives every claim as text', async () => {
  assert.deepEqual(await authenticator.authenticate(`Bearer ${good}`), {
    principal: {
      claims: { fid: 'f', n: '5', more: '{"a":[1,"b"]}', yes: 'true', none: 'null' },
    },
  });
  const later = token(HS, { exp: NOW_S, a: 'b' });
  assert.ok('principal' in (await authenticator.authenticate(`Bearer ${later}`)));
});

test('signToken() makes what BearerAuthenticator knows', async () => {
  const claims = { fid: 'f', eid: 'e', cid: 'c' };
  const verdict = await authenticator.authenticate(`Bearer ${await signToken(claims, key)}`);
  assert.deepEqual(verdict, { principal: { claims } });
});
