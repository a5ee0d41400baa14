// Values of the store that nobody can make an object of: written with a key that is not there any more, cut off, or
// no object at all. What is said of one, and of those that a list comes upon (apiserver v0.37, storage/errors.go and
// storage/etcd3/corrupt_obj_deleter.go).
import { Fault } from '#base/fault.ts';
import { goJsonFault } from '#kube/meta/go-json-error.ts';
import { ApiError, type ResourceName } from '#kube/meta/status.ts';
import type { KeyValue } from '#store/store.ts';

const SEALED = Buffer.from('k8s:enc:');

/** As upstream's storage names itself in the keys that it tells of one object. */
const ROOT = '/registry';

const storageError = (key: string, why: string): string =>
  `StorageError: corrupt object, Code: 7, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: ${why}`;

/** The answer to whoever asks for the object, or is to change it without reading it. */
export class Unreadable extends ApiError {
  readonly key: string;
  /** Without the key. */
  readonly why: string;

  constructor(key: string, why: string) {
    const told = storageError(key.startsWith(ROOT) ? key.slice(ROOT.length) : key, why);
    super(500, 'InternalError', `Internal error occurred: ${told}`, {
      causes: [{ message: told }],
    });
    this.key = key;
    this.why = why;
  }
}

/** Of what an encryption of the store says, or the decoder that found it wrong. */
export function unreadable(kv: KeyValue, error?: unknown): Unreadable {
  if (error instanceof Unreadable) return error;
  const { key, modRevision, value } = kv;
  const sealed = kv.unreadable ?? (isSealed(value) ? IDENTITY : undefined);
  if (sealed !== undefined) {
    const why = `data from the storage is not transformable revision=0: ${sealed}`;
    return new Unreadable(key, why);
  }
  return new Unreadable(key, `object not decodable revision=${modRevision}: ${wrongIn(kv, error)}`);
}

const IDENTITY = 'identity transformer tried to read encrypted data';

const isSealed = (value: Uint8Array): boolean =>
  SEALED.equals(Buffer.from(value.buffer, value.byteOffset, Math.min(value.length, SEALED.length)));

function wrongIn({ value }: KeyValue, error: unknown): string {
  if (error instanceof Fault) {
    const why = String(error.detail['why'] ?? error.message);
    return /truncated/.test(why) ? 'unexpected EOF' : why;
  }
  const fault = goJsonFault(Buffer.from(value).toString());
  const why = fault ?? (error instanceof Error ? error.message : 'it is no object');
  return `couldn't get version/kind; json parse error: ${why}`;
}

/** How many of them a list tells of. */
export const TOLD_MAX = 100;

/** The answer to whoever asks for all of them; `faults` are those that were found, at least one. */
export function unreadableList(of: ResourceName, faults: readonly Unreadable[]): ApiError {
  const { group, resource } = of;
  const told = faults.map(({ key, why }) => ({
    reason: 'UnexpectedServerResponse',
    message: storageError(key, why),
    field: key,
  }));
  const isCut = faults.length >= TOLD_MAX;
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : '';
  const name = group === '' ? resource : `${resource}.${group}`;
  const head = `failed to read one or more ${name} from the storage`;
  return new ApiError(500, 'StorageReadError', `${head}: ${told[0]?.message ?? ''}${more}`, {
    name: 'list',
    ...(group === '' ? {} : { group }),
    kind: resource,
    causes: [...told, ...(isCut ? [TOO_MANY] : [])],
  });
}

const TOO_MANY = { reason: 'FieldValueTooMany', message: 'too many errors, the list is truncated' };
