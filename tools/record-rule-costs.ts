// Records what a real kube-apiserver says to definitions whose rules cost a little too much, for
// test/conformance/kube-rule-costs.test.ts: `node tools/record-rule-costs.ts BINDIR`, with etcd and kube-apiserver
// in the folder. Prints what is said otherwise here.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { senderTo } from '#test/support/kube-sender.ts';
import {
  costlyRules,
  definitionOf,
  ownCauses,
  shortCause,
  type Recorded,
} from '#test/support/kube-rule-costs.ts';
import { startRealServer } from '#test/support/real-apiserver.ts';
import { same } from '#base/same.ts';

const [bin, rounds = '6'] = process.argv.slice(2);
if (bin === undefined) throw new Error('Name the folder of etcd and kube-apiserver');
const real = await startRealServer(bin, {});
const send = senderTo(real.target);
const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions?dryRun=All';

interface Status {
  readonly kind: string;
  readonly details?: {
    readonly causes?: readonly { readonly message: string; readonly field: string }[];
  };
}

try {
  const all: Recorded[] = [];
  let differing = 0;
  for (const one of costlyRules(Number(rounds))) {
    const answer = await send({
      method: 'POST',
      path,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(definitionOf(one)),
    });
    const status = JSON.parse(answer.bytes.toString()) as Status;
    const causes = (status.details?.causes ?? []).map(({ field, message }) =>
      shortCause(field, message),
    );
    all.push({ ...one, causes });
    const own = ownCauses(one);
    if (same(own, causes)) continue;
    differing += 1;
    process.stdout.write(
      `${JSON.stringify(one)}\n  real ${causes.join('\n       ') || answer.status}\n  own  ${own.join('\n       ')}\n`,
    );
  }
  const file = join(import.meta.dirname, '../test/vectors/kube-rule-costs.json');
  writeFileSync(file, `[\n${all.map((one) => JSON.stringify(one)).join(',\n')}\n]\n`);
  process.stdout.write(`${all.length} definitions, ${differing} differ\n`);
} finally {
  await real.close();
}
