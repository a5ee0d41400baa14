// The one path of every resource: create, get, list, update, patch, apply, delete over the store, with
// defaults, validation, admission and field ownership. What kinds do differently is in strategies.ts.
import { cloneJson } from '#base/clone.ts';
import type { ObjectLookup } from '#kube/apiserver/object-lookup.ts';
import type { Env } from '#env/env.ts';
import { trackUpdate } from '#kube/meta/apply.ts';
import { applyDefaults } from '#kube/meta/defaulting.ts';
import { withEmptied } from '#kube/meta/emptied-fields.ts';
import { invalidValue } from '#kube/meta/names.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { applyPatch, checkPatchNumbers, goText } from '#kube/meta/patch.ts';
import { numbersOf } from '#kube/meta/written-numbers.ts';
import type { ResourceInfo, ResourceRegistry } from '#kube/meta/resource-info.ts';
import {
  alreadyExists,
  ApiError,
  conflict,
  invalid,
  notFound,
  type StatusCause,
} from '#kube/meta/status.ts';
import {
  validateCreate,
  validateMetadataUpdate,
  validateStatusUpdate,
  validateUpdate,
} from '#kube/meta/validation.ts';
import { writeZeros } from '#kube/meta/written-zeros.ts';
import { warningsOf } from '#kube/meta/warnings.ts';
import { prefixEnd, type KeyValue, type Store } from '#store/store.ts';
import type { AdmissionChain } from './admission/chain.ts';
import type { AdmissionRequest } from './admission/request.ts';
import { giveBack, type Allocation } from './allocation.ts';
import { readableObjects } from './followed-objects.ts';
import { hasLetGo, isService } from './cluster-ips.ts';
import { admissionRequestOf } from './admission/write-request.ts';
import { applyOwned, setOwners, track } from './converted-owners.ts';
import { decodeObject, type DecodeContext } from './decoding.ts';
import { checkPreconditions, isFinished, markDeleted, type DeleteOptions } from './deletion.ts';
import {
  collectionPrefix,
  objectFor,
  objectKey,
  objectOf,
  prepareObjects,
  serialize,
} from './object-store.ts';
import type { PatchRequest } from './patch-request.ts';
import {
  isSame,
  lighterIfTooLarge,
  readForm,
  seenForm,
  isStale,
  storedForm,
  trackedForm,
  storeForm,
} from './stored-forms.ts';
import { defaultChange, prepareCreate, prepareUpdate, timestamp } from './strategies.ts';
import { dropTwiceOwned } from './owner-references.ts';
import { validatePodPart } from './pod-parts.ts';
import type { Deadline } from './request-deadline.ts';
import { ResourceNames } from './resource-names.ts';
import { MODIFIED, Retries } from './retries.ts';
import type { UserInfo } from './user.ts';
import {
  checkApplied,
  checkIsVersioned,
  checkLookup,
  checkName,
  checkNotKnown,
  checkNamespace,
  checkSent,
  checkUid,
  checkUnversioned,
  checkVersion,
  isNoVersion,
  converted,
  drawnName,
  inOrder,
  isCreatedOnUpdate,
  keepOwners,
  kindOf,
  unconverted,
  wipeSystemFields,
} from './write-checks.ts';

export interface WriteContext extends DecodeContext {
  readonly namespace: string | undefined;
  readonly user: UserInfo;
  /** What the authorizers were asked for; none for writes of the server itself. */
  readonly verb?: string | undefined;
  readonly fieldManager: string;
  readonly isDryRun: boolean;
  /** Of the server itself, or a part of what a client was let do: it is not admitted again. */
  readonly isAdmitted?: boolean | undefined;
  /** One of many that are deleted by one request, which names none. */
  readonly isCollection?: boolean | undefined;
  /** What the client said of the write (CreateOptions and the like), without its kind. */
  readonly options?: Readonly<Record<string, unknown>> | undefined;
  /** For the audit log, from admission. */
  readonly annotations?: Record<string, string> | undefined;
  /** Absent for what has no end, and for what this server writes of itself. */
  readonly deadline?: Deadline | undefined;
  /** Throws ApiError 403 for those who may change objects, but make none. */
  readonly checkCreation?: (() => Promise<void>) | undefined;
}

export interface Written {
  readonly object: KubeObject;
  readonly isCreated: boolean;
}

const RETRIES_MAX = 10;

/** Lets custom resources and others add rules of their own: more causes. */
export type ExtraValidation = (
  context: WriteContext,
  object: KubeObject,
  old: KubeObject | undefined,
) => Promise<readonly StatusCause[]>;
export class Resources implements ObjectLookup {
  readonly store: Store;
  readonly registry: ResourceRegistry;
  readonly #retries = new Retries();
  readonly #env: Env;
  readonly #names: ResourceNames;
  readonly #extraValidation: ExtraValidation;
  readonly #allocation: () => Allocation;
  readonly #admission: () => AdmissionChain;

  constructor(
    options: {
      store: Store;
      registry: ResourceRegistry;
      extraValidation: ExtraValidation;
      allocation: () => Allocation;
      admission: () => AdmissionChain;
    },
    env: Env,
  ) {
    this.store = options.store;
    this.registry = options.registry;
    this.#names = new ResourceNames(options.registry);
    this.#extraValidation = options.extraValidation;
    this.#allocation = options.allocation;
    this.#admission = options.admission;
    this.#env = env;
  }

  async find(
    info: ResourceInfo,
    namespace: string | undefined,
    name: string,
  ): Promise<KeyValue | undefined> {
    return await this.store.get(objectKey(info, namespace, name));
  }

  async need(info: ResourceInfo, namespace: string | undefined, name: string): Promise<KeyValue> {
    checkLookup(name);
    const kv = await this.find(info, namespace, name);
    if (kv === undefined) throw notFound(info, name);
    await prepareObjects(info, [kv]);
    return kv;
  }

  async get(
    group: string,
    resource: string,
    namespace: string | undefined,
    name: string,
  ): Promise<KubeObject | undefined> {
    const info = this.#names.find(group, resource);
    if (info === undefined) return undefined;
    const kv = await this.store.get(objectKey(info, namespace, name), { isStaleOk: true });
    if (kv === undefined) return undefined;
    await prepareObjects(info, [kv]);
    return objectFor(info, kv);
  }

  /** As get(): what this server has seen, its own writes included; upstream's admission reads no more. */
  async list(
    group: string,
    resource: string,
    namespace: string | undefined,
  ): Promise<readonly KubeObject[]> {
    const info = this.#names.find(group, resource);
    if (info === undefined) return [];
    const start = collectionPrefix(info, namespace);
    const { items } = await this.store.range({ start, end: prefixEnd(start), isStaleOk: true });
    await prepareObjects(info, items);
    return items.map((kv) => objectFor(info, kv));
  }

  async listReadable(group: string, resource: string): Promise<readonly KubeObject[]> {
    return await readableObjects({ store: this.store, log: this.#env.log }, { group, resource });
  }

  // ---- decoding ----

  /** The client's object, checked and cleaned; strict clients are told of unknown fields by an error. */
  decode(
    context: WriteContext & DecodeContext,
    body: unknown,
    duplicates: readonly string[] = [],
  ): KubeObject {
    return decodeObject(this.registry, context, body, duplicates);
  }

  // ---- creating ----

  async create(
    context: WriteContext,
    object: KubeObject,
    body?: { readonly skipTracking?: boolean },
  ): Promise<KubeObject> {
    const { info, namespace } = context;
    const { metadata } = object;
    checkNamespace(context, object);
    if (!info.namespaced) delete metadata.namespace;
    const isGenerated = metadata.name === undefined || metadata.name === '';
    // Ranges have an id for a name when nobody gives them one.
    if (isGenerated && !metadata.generateName && info.resource === 'limitranges') {
      metadata.name = this.#env.random.uuid();
    }
    for (let attempt = 0; ; attempt++) {
      const next = isGenerated ? cloneJson(object) : object;
      if (isGenerated && next.metadata.generateName !== undefined) {
        next.metadata.name = drawnName(info, next.metadata.generateName, this.#env.random);
      }
      const made = await this.#createOnce(context, next, body?.skipTracking === true);
      if (made !== undefined) return made;
      const { name = '' } = next.metadata;
      if (isGenerated && attempt < RETRIES_MAX) continue;
      const there = await this.find(info, namespace, name);
      const isGoing =
        there !== undefined && objectOf(there).metadata.deletionTimestamp !== undefined;
      const taken = alreadyExists(info, name);
      if (!isGoing) throw taken;
      const message = `object is being deleted: ${taken.message}`;
      throw new ApiError(409, 'AlreadyExists', message, taken.details);
    }
  }

  /** undefined when the name is taken. */
  async #createOnce(
    context: WriteContext,
    wanted: KubeObject,
    skipTracking: boolean,
  ): Promise<KubeObject | undefined> {
    const { info } = context;
    const now = this.#env.clock.now();
    wipeSystemFields(wanted);
    dropTwiceOwned(wanted, context.warnings, { isMutated: false });
    withEmptied(wanted, context.emptied, () => defaultChange(info, wanted, undefined, now));
    if (!skipTracking)
      await this.#track(context, undefined, wanted, await trackedForm(info, wanted));
    const request = admissionRequestOf(context, 'CREATE', wanted, undefined);
    await this.mutate(context, request);
    const object = request.object ?? wanted;
    checkNamespace(context, object);
    dropTwiceOwned(object, context.warnings, { isMutated: true });
    const uuid = (): string => this.#env.random.uuid();
    prepareCreate(info, object, { ...context, uuid, now });
    withEmptied(object, context.emptied, () => applyDefaults(info, object));
    const release = await this.#allocation().create(info, object, context.isDryRun);
    return await giveBack(release, () => this.#storeNew(context, request, object));
  }

  async #storeNew(
    context: WriteContext,
    request: AdmissionRequest,
    object: KubeObject,
  ): Promise<KubeObject | undefined> {
    const { info, namespace } = context;
    const extra = await this.#extraValidation(context, object, undefined);
    const own = withEmptied(object, context.emptied, () => validateCreate(info, object));
    const causes = inOrder(info, own, extra);
    if (causes.length > 0) throw invalid(kindOf(info), object.metadata.name ?? '', causes);
    this.#warn(context, object);
    await this.judge(context, request);
    writeZeros(info, object);
    const key = objectKey(info, namespace, object.metadata.name ?? '');
    if (context.isDryRun) {
      return (await this.store.get(key)) === undefined ? await seenForm(info, object) : undefined;
    }
    // The store asks for it, which a dry run does not come to.
    checkUnversioned(object);
    const put = () => storeForm(this.store, info, object, { key, equals: 0 });
    const { stored, result } = await lighterIfTooLarge(object, put);
    if (!result.ok) return undefined;
    const made = await readForm(info, stored, object);
    made.metadata.resourceVersion = String(result.revision);
    return made;
  }

  #warn(context: WriteContext, object: KubeObject, old?: KubeObject): void {
    const { info, isAdmitted, warnings, subresource } = context;
    if (isAdmitted !== true) warnings.push(...warningsOf(info, object, old, subresource));
  }

  /** Those who may change the object; throws ApiError for a refusal. */
  async mutate(context: WriteContext, request: AdmissionRequest): Promise<void> {
    if (context.isAdmitted === true) return;
    const before = request.object?.metadata?.managedFields;
    await this.#admission().mutate(request);
    keepOwners(request, before);
  }

  /** Those who only judge it; throws ApiError for a refusal. */
  async judge(context: WriteContext, request: AdmissionRequest): Promise<void> {
    if (context.isAdmitted !== true) await this.#admission().validate(request);
  }

  /** The object of the request as admission leaves it; `check` sees it before those who only judge. */
  async admitted(
    context: WriteContext,
    request: AdmissionRequest & { readonly object: KubeObject },
    check: (object: KubeObject) => void = () => {},
  ): Promise<KubeObject> {
    await this.mutate(context, request);
    check(request.object);
    await this.judge(context, request);
    return request.object;
  }

  /**
   * What is created below an object, or instead of it, and not stored itself (tokens, evictions, bindings):
   * decoded as the kind `alone`, with defaults and owners.
   */
  decodeBelow(
    context: WriteContext,
    alone: ResourceInfo,
    { value, duplicates }: { readonly value: unknown; readonly duplicates: readonly string[] },
  ): KubeObject {
    const own = { ...context, info: alone };
    const object = this.decode({ ...own, subresource: undefined }, value, duplicates);
    checkNamespace(own, object);
    applyDefaults(alone, object);
    setOwners(object, trackUpdate({ ...this.#tracking(own), live: undefined, next: object }));
    return object;
  }

  // ---- updating ----

  /**
   * Reads, changes and writes until no other write came between. `change` gets a copy that it may keep.
   * With a resourceVersion in the result the version read must be that one.
   */
  async modify(
    context: WriteContext,
    name: string,
    change: (live: KubeObject) => KubeObject | Promise<KubeObject>,
    options: { readonly skipTracking?: boolean; readonly skipValidation?: boolean } = {},
  ): Promise<KubeObject> {
    const { info, namespace } = context;
    const attempt = async (): Promise<KubeObject | undefined> => {
      const kv = await this.need(info, namespace, name);
      const live = objectFor(info, kv);
      const next = await change(cloneJson(live));
      const wanted = next.metadata.resourceVersion;
      checkVersion(info, name, wanted);
      if (!isNoVersion(wanted) && wanted !== live.metadata.resourceVersion) {
        throw conflict(info, name, MODIFIED);
      }
      checkName(next, name);
      return await this.#write(context, { kv, live, next }, options);
    };
    return await this.#retries.until(context, name, attempt);
  }

  /** undefined when somebody else wrote in between. */
  async #write(
    context: WriteContext,
    { kv, live, next: wanted }: { kv: KeyValue; live: KubeObject; next: KubeObject },
    options: { readonly skipTracking?: boolean; readonly skipValidation?: boolean },
  ): Promise<KubeObject | undefined> {
    const { info, subresource } = context;
    const name = live.metadata.name ?? '';
    wanted.metadata.name = name;
    if (live.metadata.namespace === undefined) delete wanted.metadata.namespace;
    else wanted.metadata.namespace = live.metadata.namespace;
    const now = this.#env.clock.now();
    withEmptied(wanted, context.emptied, () => defaultChange(info, wanted, subresource, now, live));
    if (options.skipTracking !== true)
      await this.#track(context, live, wanted, await trackedForm(info, wanted));
    const request = admissionRequestOf(context, 'UPDATE', wanted, live);
    await this.mutate(context, request);
    const next = request.object ?? wanted;
    dropTwiceOwned(next, context.warnings, { isMutated: true });
    const said = subresource === 'status' ? context.emptied : undefined;
    withEmptied(next, said, () => prepareUpdate(info, next, live, subresource, now), live);
    const release =
      subresource === undefined
        ? await this.#allocation().update(info, next, live, context.isDryRun)
        : undefined;
    const store = () => this.#storeChange(context, request, { kv, live, next }, options);
    return await giveBack(release, store);
  }

  /** undefined when somebody else wrote in between. */
  async #storeChange(
    context: WriteContext,
    request: AdmissionRequest,
    { kv, live, next }: { kv: KeyValue; live: KubeObject; next: KubeObject },
    options: { readonly skipTracking?: boolean; readonly skipValidation?: boolean },
  ): Promise<KubeObject | undefined> {
    const { info, subresource } = context;
    const name = live.metadata.name ?? '';
    if (options.skipValidation !== true) {
      const judge = (): StatusCause[] =>
        subresource === undefined
          ? validateUpdate(info, next, live)
          : subresource === 'status'
            ? validateStatusUpdate(info, next, live)
            : [...validateMetadataUpdate(next, live), ...validatePodPart(next, live, subresource)];
      const own = withEmptied(next, context.emptied, judge, live);
      const causes = inOrder(info, own, await this.#extraValidation(context, next, live));
      if (causes.length > 0) throw invalid(kindOf(info), name, causes);
    }
    this.#warn(context, next, live);
    await this.judge(context, request);
    delete next.metadata.resourceVersion;
    writeZeros(info, next);
    if (isSame(live, next) && !isStale(info, kv)) return live;
    if (context.isDryRun) {
      const seen = await seenForm(info, next);
      return { ...seen, metadata: { ...seen.metadata, resourceVersion: String(kv.modRevision) } };
    }
    const { key, modRevision } = kv;
    const isLast = next.metadata.deletionTimestamp !== undefined && isFinished(info, next);
    const put = () => storeForm(this.store, info, next, { key, equals: modRevision, isLast });
    // Who applies wants to own what is applied.
    const isApplied = options.skipTracking === true;
    const { stored, result } = await (isApplied ? put() : lighterIfTooLarge(next, put));
    if (!result.ok) return undefined;
    if ((isLast && isService(info)) || hasLetGo(info, live, next))
      await this.#allocation().release(live);
    const written = await readForm(info, stored, next);
    written.metadata.resourceVersion = String(isLast ? kv.modRevision : result.revision);
    return written;
  }

  #tracking({ info, subresource, fieldManager: manager }: WriteContext) {
    return { info, subresource, manager, now: timestamp(this.#env.clock.now()) };
  }

  /** Gives the manager what the client changed, before the server changes anything itself. */
  async #track(
    context: WriteContext,
    live: KubeObject | undefined,
    next: KubeObject,
    seen: KubeObject,
  ): Promise<void> {
    await track({ ...this.#tracking(context), live, next: seen }, next);
  }

  async update(context: WriteContext, name: string, object: KubeObject): Promise<Written> {
    const { info, namespace } = context;
    checkSent(object, name);
    checkNamespace(context, object);
    checkName(object, name);
    const exists = (await this.find(info, namespace, name)) !== undefined;
    if (!exists && context.subresource === undefined && isCreatedOnUpdate(info)) {
      const { resourceVersion } = object.metadata;
      delete object.metadata.resourceVersion;
      await context.checkCreation?.();
      const created = await this.create(context, object);
      if (context.isDryRun && resourceVersion !== undefined)
        created.metadata.resourceVersion = resourceVersion;
      return { object: created, isCreated: true };
    }
    dropTwiceOwned(object, context.warnings, { isMutated: false });
    const { resourceVersion = '' } = object.metadata;
    const updated = await this.modify(context, name, (live) => {
      checkUid(context, name, object, live);
      checkIsVersioned(info, name, resourceVersion);
      return cloneJson(object);
    });
    return { object: updated, isCreated: false };
  }

  async patch(context: WriteContext, name: string, request: PatchRequest): Promise<Written> {
    const { info, namespace } = context;
    if (request.type === 'apply') return await this.#apply(context, name, request);
    await this.need(info, namespace, name);
    const object = await this.modify(context, name, (live) => this.patched(context, live, request));
    return { object, isCreated: false };
  }

  /** The object after a patch of the client's own making; what cannot be decoded then is ApiError 422. */
  patched(context: WriteContext, live: KubeObject, request: PatchRequest): KubeObject {
    const { type, patch, duplicates } = request;
    if (type === 'apply') throw new ApiError(500, 'InternalError', 'apply is not a patch');
    const { schema } = context.info;
    checkPatchNumbers(type, patch, context.fieldValidation);
    const patched = applyPatch({ type, schema, current: live, patch });
    const shown = (): string => (type === 'strategic' ? goText(patch) : JSON.stringify(patched));
    const said = (why: string): string => (type === 'strategic' ? unconverted(why) : why);
    const refuse = (why: string): ApiError =>
      invalid({ group: '', kind: '' }, '', [invalidValue('patch', shown(), said(why))]);
    const written = numbersOf(patch)?.isWritten === true ? 'written' : 'plain';
    const numbers = type === 'strategic' ? 'values' : written;
    const operations = type === 'json' && Array.isArray(patch) ? patch : 'none';
    const next = this.decode({ ...context, refuse, numbers, operations }, patched, duplicates);
    // A patch is on top of whatever is there, unless it names a version itself.
    if (next.metadata.resourceVersion === live.metadata.resourceVersion) {
      delete next.metadata.resourceVersion;
    }
    checkNamespace(context, next);
    return next;
  }

  async #apply(
    context: WriteContext,
    name: string,
    request: { patch: unknown; force: boolean },
  ): Promise<Written> {
    const { info, namespace, subresource } = context;
    const applied = checkApplied(info, request.patch);
    const merged = async (live: KubeObject | undefined): Promise<KubeObject> => {
      const { force } = request;
      const next = await applyOwned({ ...this.#tracking(context), applied, force, live });
      const { managedFields } = next.metadata;
      const values = { ...context, numbers: 'values', keepsNulls: true } as const;
      const decoded = converted(info, name, () => this.decode(values, next));
      setOwners(decoded, (managedFields ?? []).length > 0 ? managedFields : undefined);
      if (live === undefined) checkSent(decoded, name);
      decoded.metadata.name ??= name;
      checkNamespace(context, decoded);
      if (live === undefined) checkName(decoded, name);
      return decoded;
    };
    const options = { skipTracking: true };
    for (let attempt = 0; ; attempt++) {
      const exists = (await this.find(info, namespace, name)) !== undefined;
      if (exists || subresource !== undefined) {
        const change = async (live: KubeObject): Promise<KubeObject> => {
          const next = await merged(live);
          if (applied.metadata?.resourceVersion === undefined) delete next.metadata.resourceVersion;
          return next;
        };
        return { object: await this.modify(context, name, change, options), isCreated: false };
      }
      try {
        checkNotKnown(info, name, applied);
        await context.checkCreation?.();
        const made = await merged(undefined);
        return { object: await this.create(context, made, options), isCreated: true };
      } catch (error) {
        const isTaken = error instanceof ApiError && error.reason === 'AlreadyExists';
        if (!isTaken || attempt >= RETRIES_MAX) throw error;
      }
    }
  }

  // ---- deleting ----

  /** The object as it is now: gone, or going (finalizers, grace); `gone` tells which. */
  async delete(
    context: WriteContext,
    name: string,
    options: DeleteOptions,
  ): Promise<{ object: KubeObject; gone: boolean }> {
    const { info, namespace } = context;
    const isPod = info.group === '' && info.resource === 'pods';
    const attempt = async (): Promise<{ object: KubeObject; gone: boolean } | undefined> => {
      const kv = await this.need(info, namespace, name);
      const live = objectFor(info, kv);
      checkPreconditions(info, live, options);
      const told = context.isCollection === true ? '' : name;
      const request = admissionRequestOf(context, 'DELETE', undefined, live, told);
      await this.mutate(context, request);
      await this.judge(context, request);
      const next = cloneJson(live);
      const isChanged = markDeleted(info, next, options, this.#env.clock.now());
      const isLast = isFinished(info, next);
      if (context.isDryRun || (!isChanged && !isLast)) {
        return { object: isLast && !isPod ? live : next, gone: isLast };
      }
      delete next.metadata.resourceVersion;
      const stored = await storedForm(info, next);
      const put = { kind: 'put', key: kv.key, value: serialize(stored) } as const;
      const result = await this.store.txn({
        compare: [{ key: kv.key, target: 'mod', equals: kv.modRevision }],
        then: [isLast ? { kind: 'delete', key: kv.key } : put],
      });
      if (!result.ok) return undefined;
      if (isLast && isService(info)) await this.#allocation().release(live);
      next.metadata.resourceVersion = String(result.revision);
      // What goes at once is shown as it was; pods are shown with the grace that they got.
      if (!isLast || isPod) return { object: next, gone: isLast };
      const { resourceVersion } = next.metadata;
      return { object: { ...live, metadata: { ...live.metadata, resourceVersion } }, gone: true };
    };
    return await this.#retries.until(context, name, attempt);
  }
}
