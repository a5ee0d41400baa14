// How large one write of an API server may be: what etcd takes by default, and what kube-apiserver's client of it sends.
// On another store it is the same, in the same words, so that what that holds can be moved to etcd.
import { Fault } from '#base/fault.ts';
import type { Txn } from './store.ts';

const REQUEST_BYTES_MAX = 1.5 * 1024 * 1024;
const SENT_BYTES_MAX = 2 * 1024 * 1024;
/** Tags, lengths and revisions of a comparison with an operation. */
const OPERATION_BYTES = 64;

function tooLarge(words: string): Fault {
  return new Fault({ code: 'store-value-too-large', words }, `Cannot write to the store: ${words}`);
}

/** Throws Fault `store-value-too-large`. `isOnEtcd`: that says itself what it takes. */
export function checkSize({ then }: Txn, isOnEtcd: boolean): void {
  let bytes = 0;
  for (const op of then) {
    const size = op.kind === 'put' ? op.value.length : 0;
    // The key is compared, changed, and read where the comparison does not hold.
    bytes += size + op.key.length * 3 + OPERATION_BYTES;
  }
  if (bytes > SENT_BYTES_MAX) {
    const why = `trying to send message larger than max (${bytes} vs. ${SENT_BYTES_MAX})`;
    throw tooLarge(`rpc error: code = ResourceExhausted desc = ${why}`);
  }
  if (bytes > REQUEST_BYTES_MAX && !isOnEtcd) throw tooLarge('etcdserver: request is too large');
}
