// What a real Mesos 1.11 master and agent said and were told (test/vectors/mesos, made by
// tools/record-mesos-vectors.ts): our codecs understand every field of it and say it again alike.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '#test/support/cluster.ts';
import { decode, encode, parseJson, stringify, type MessageName } from '#wire/mesos/codec.ts';

interface Vector {
  readonly message: MessageName;
  readonly from: string;
  readonly type: 'application/json' | 'application/x-protobuf';
  readonly body: string;
}

/** To protobuf an empty list is none; what the master writes itself has them where Mesos has. */
const heard = (body: string): unknown =>
  JSON.parse(body, (_key, value: unknown) =>
    Array.isArray(value) && value.length === 0 ? undefined : value,
  );

const folder = join(root, 'test/vectors/mesos');

for (const file of readdirSync(folder)) {
  const vectors = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Vector[];
  test(`${file}: ${vectors.length} messages`, () => {
    assert.ok(vectors.length > 0);
    for (const { message, from, type, body } of vectors) {
      if (type === 'application/json') {
        const again = stringify(message, parseJson(message, body));
        assert.partialDeepStrictEqual(JSON.parse(again), heard(body), message);
        // Mesos writes fields in the order of the .proto files. Numbers may be written otherwise.
        if (from !== 'client') assert.equal(again, JSON.stringify(heard(body)), message);
      } else {
        const value = decode(message, Buffer.from(body, 'base64'));
        assert.equal(Buffer.from(encode(message, value)).toString('base64'), body, message);
        assert.partialDeepStrictEqual(
          parseJson(message, stringify(message, value)),
          value,
          message,
        );
      }
    }
  });
}
