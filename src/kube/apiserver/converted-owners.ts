// Who owns what in versions that a webhook converts between: who compares stays synchronous, and says what has to be
// converted first; that is asked for here, and the comparison is made again.
import { serverSideApply, trackUpdate, type ApplyRequest } from '#kube/meta/apply.ts';
import type { ObjectCodec, ResourceInfo } from '#kube/meta/resource-info.ts';
import type { KubeObject, ManagedFieldsEntry } from '#kube/meta/object.ts';
import { ApiError } from '#kube/meta/status.ts';
import { Conversions, FormError, Unconverted } from '#kube/meta/version-forms.ts';

/** `compare`: is called once more after each conversion that it finds missing. */
async function withConversions<T>(
  { codec }: ResourceInfo,
  compare: (conversions: Conversions | undefined) => T,
): Promise<T> {
  if (codec?.mayCall !== true) return compare(undefined);
  const known = new Conversions();
  for (;;) {
    try {
      return compare(known);
    } catch (error) {
      if (!(error instanceof Unconverted)) throw error;
      known.add(error, await convertedBy(codec, error));
    }
  }
}

/** What cannot be converted is none in that version. */
async function convertedBy(
  codec: ObjectCodec,
  { object, apiVersion }: Unconverted,
): Promise<KubeObject | FormError> {
  try {
    return (await codec.convert?.(object, apiVersion)) ?? new FormError('nobody converts it');
  } catch (error) {
    if (error instanceof ApiError) return new FormError(error.message);
    throw error;
  }
}

export function setOwners({ metadata }: KubeObject, owners?: ManagedFieldsEntry[]): void {
  if (owners === undefined) delete metadata.managedFields;
  else metadata.managedFields = owners;
}

/** Gives the object the owners that it has after an update. */
export async function track(
  request: Parameters<typeof trackUpdate>[0],
  object: KubeObject,
): Promise<void> {
  const compare = (conversions: Conversions | undefined) =>
    trackUpdate({ ...request, conversions });
  setOwners(object, await withConversions(request.info, compare));
}

export async function applyOwned(request: ApplyRequest): Promise<KubeObject> {
  return await withConversions(request.info, (conversions) =>
    serverSideApply({ ...request, conversions }),
  );
}
