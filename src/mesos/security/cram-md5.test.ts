// Both sides of CRAM-MD5 with each other, and each with a peer that does not keep to it. What a master
// says to wrong answers is compared with a real one in the differential suite.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AuthenticateeSession,
  AuthenticatorSession,
  type FromPeer,
  type ToPeer,
} from './cram-md5.ts';

const credentials = new Map([['p', 'secret']]);

/** Messages go to and fro until nobody has anything to say. */
function play(master: AuthenticatorSession, peer: AuthenticateeSession): void {
  let toPeer: ToPeer | undefined = master.greeting();
  for (let turn = 0; toPeer !== undefined && turn < 10; turn++) {
    const answer: FromPeer | undefined = peer.onMessage(toPeer);
    toPeer = answer === undefined ? undefined : master.onMessage(answer);
  }
}

test('who knows the secret is known', () => {
  const master = new AuthenticatorSession(credentials, '<1.2@host>');
  const peer = new AuthenticateeSession({ principal: 'p', secret: 'secret' });
  play(master, peer);
  assert.deepEqual(master.end, { kind: 'completed', principal: 'p' });
  assert.deepEqual(peer.end, { kind: 'completed' });
});

for (const [principal, secret] of [
  ['p', 'other'],
  ['q', 'secret'],
] as const) {
  test(`${principal} with "${secret}" is refused`, () => {
    const master = new AuthenticatorSession(credentials, '<1.2@host>');
    const peer = new AuthenticateeSession({ principal, secret });
    play(master, peer);
    assert.deepEqual([master.end?.kind, peer.end?.kind], ['failed', 'refused']);
  });
}

test('an answer to another challenge is of no use', () => {
  const first = new AuthenticatorSession(credentials, '<1.1@host>');
  const peer = new AuthenticateeSession({ principal: 'p', secret: 'secret' });
  const start = peer.onMessage(first.greeting())!;
  const answer = peer.onMessage(first.onMessage(start)!)!;
  const second = new AuthenticatorSession(credentials, '<1.2@host>');
  second.onMessage(start);
  assert.equal(second.onMessage(answer)?.name, 'AuthenticationFailedMessage');
  assert.equal(second.onMessage(answer), undefined, 'it is over');
});

test('the one who authenticates tells what a master does out of turn', () => {
  const messages: readonly (readonly [ToPeer[], string])[] = [
    [
      [{ name: 'AuthenticationCompletedMessage', body: {} }],
      "Unexpected authentication 'completed'",
    ],
    [
      [{ name: 'AuthenticationStepMessage', body: { data: Buffer.from('x') } }],
      "Unexpected authentication 'step'",
    ],
    [
      [{ name: 'AuthenticationMechanismsMessage', body: { mechanisms: ['PLAIN'] } }],
      'The master offers none but PLAIN',
    ],
    [
      [{ name: 'AuthenticationErrorMessage', body: { error: 'No authenticator loaded' } }],
      'Authentication error: No authenticator loaded',
    ],
  ];
  for (const [list, error] of messages) {
    const peer = new AuthenticateeSession({ principal: 'p', secret: 's' });
    for (const message of list) assert.equal(peer.onMessage(message), undefined);
    assert.ok(peer.end?.kind === 'error' && peer.end.error.startsWith(error), error);
  }
});
