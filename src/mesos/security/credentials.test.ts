// Files of credentials in both forms, and what is said of the wrong ones: never a secret.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultCode } from '#base/fault.ts';
import { BasicAuthenticator, basicHeader } from './basic.ts';
import { parseCredential, parseCredentials } from './credentials.ts';

test('parseCredentials() reads JSON, and lines', () => {
  const json = '{"credentials":[{"principal":"a","secret":"b c"},{"principal":"n"}]}';
  assert.deepEqual(
    [...parseCredentials(json)],
    [
      ['a', 'b c'],
      ['n', ''],
    ],
  );
  assert.deepEqual(
    [...parseCredentials('\n a  b \nc\td\n')],
    [
      ['a', 'b'],
      ['c', 'd'],
    ],
  );
  assert.deepEqual([...parseCredentials('{"credentials":[]}')], []);
});

test('parseCredential() reads one', () => {
  const one = { principal: 'a', secret: 'b' };
  assert.deepEqual(parseCredential('{"principal":"a","secret":"b"}'), one);
  assert.deepEqual(parseCredential('a b\n'), one);
});

const wrong = [
  '',
  ' \n',
  's3cret',
  'a s3cret x',
  '{"credentials":"s3cret"}',
  '{"s3cret',
  '{s3cret}',
];
for (const text of wrong) {
  test(`credentials ${JSON.stringify(text)} are refused without telling them`, () => {
    for (const parse of [parseCredentials, parseCredential]) {
      assert.throws(
        () => parse(text),
        (error: Error) =>
          faultCode(error) === 'bad-credentials' && !error.message.includes('s3cret'),
      );
    }
  });
}

test('basicHeader() says what BasicAuthenticator knows', () => {
  const authenticator = new BasicAuthenticator('r', new Map([['a b', 'c']]));
  const header = basicHeader({ principal: 'a b', secret: 'c' });
  assert.deepEqual(authenticator.authenticate(header), { principal: { value: 'a b' } });
});
