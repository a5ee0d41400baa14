// What goes from a service that has another type than the one its fields are for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dropForeign, dropInnerPolicy } from './service-fields.ts';

const cases = [
  ['ExternalName', 'Cluster', undefined],
  ['ExternalName', 'Local', undefined],
  ['ExternalName', 'Both', 'Both'],
  ['ClusterIP', 'Local', 'Local'],
] as const;

for (const [type, internalTrafficPolicy, wanted] of cases) {
  test(`the inner policy ${internalTrafficPolicy} of type ${type} is ${wanted}`, () => {
    const spec = { type, internalTrafficPolicy };
    dropInnerPolicy(spec);
    assert.equal(spec.internalTrafficPolicy, wanted);
    const again = { metadata: { name: 'a' }, spec: { type, internalTrafficPolicy } };
    dropForeign(again as never, { type });
    assert.equal(again.spec.internalTrafficPolicy, wanted);
  });
}
