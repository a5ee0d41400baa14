// What is written down of one request: an Event of audit.k8s.io/v1 at each of its stages.
import type { AccessRequest } from '#kube/apiserver/rbac.ts';
import type { UserInfo } from '#kube/apiserver/user.ts';
import { isAtLeast, type Extent, type Stage } from './policy.ts';

type Json = Record<string, unknown>;

const AGENT_CHARACTERS_MAX = 1_024;

export interface AuditSink {
  write(event: Json): void;
}

export interface RecordInput {
  readonly id: string;
  readonly uri: string;
  readonly userAgent: string;
  readonly sourceIps: readonly string[];
  readonly access: AccessRequest;
  readonly extent: Extent;
  /** Microseconds since the epoch, now. */
  readonly nowUs: () => number;
  readonly sink: AuditSink;
}

function microTime(us: number): string {
  const ms = Math.floor(us / 1_000);
  const rest = String(Math.floor(us) % 1_000_000).padStart(6, '0');
  return `${new Date(ms).toISOString().slice(0, 19)}.${rest}Z`;
}

function userJson({ name, uid, groups, extra }: UserInfo): Json {
  return {
    ...(name === '' ? {} : { username: name }),
    ...(uid === '' ? {} : { uid }),
    ...(groups.length === 0 ? {} : { groups }),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  };
}

function withoutManagedFields(object: Json): Json {
  const { items, metadata } = object as { items?: Json[]; metadata?: Json };
  const plain = (one: Json | undefined): Json | undefined => {
    if (one === undefined) return undefined;
    const { managedFields: _fields, ...rest } = one;
    return rest;
  };
  return {
    ...object,
    ...(metadata === undefined ? {} : { metadata: plain(metadata) }),
    ...(Array.isArray(items) ? { items: items.map(withoutManagedFields) } : {}),
  };
}

/** Of a Status, what is small. */
function statusJson(status: Json): Json {
  const fields = ['status', 'message', 'reason', 'details', 'code'];
  const known = fields.filter((field) => status[field] !== undefined);
  return { metadata: {}, ...Object.fromEntries(known.map((field) => [field, status[field]])) };
}

/** Annotations that show what is in a body: only where bodies are written down. */
export const PATCH_ANNOTATION = 'patch.webhook.admission.k8s.io/';

export class AuditRecord {
  readonly annotations: Record<string, string> = {};
  readonly #input: RecordInput;
  readonly #receivedUs: number;
  readonly #reference: Json | undefined;
  #impersonated: Json | undefined;
  #constraint: string | undefined;
  #requestObject: unknown;
  #responseObject: unknown;
  #responseStatus: Json | undefined;
  #isOver = false;

  constructor(input: RecordInput) {
    this.#input = input;
    this.#receivedUs = input.nowUs();
    const { isResource, group, version, resource, subresource, namespace, name } = input.access;
    const reference = {
      resource,
      namespace,
      name,
      uid: undefined,
      apiGroup: group === '' ? undefined : group,
      apiVersion: version,
      resourceVersion: undefined,
      subresource,
    };
    this.#reference = isResource ? reference : undefined;
  }

  /** Whether bodies are wanted, and with which fields. */
  get wantsRequest(): boolean {
    return isAtLeast(this.#input.extent.level, 'Request');
  }

  get wantsResponse(): boolean {
    return isAtLeast(this.#input.extent.level, 'RequestResponse');
  }

  received(): void {
    this.#write('RequestReceived');
  }

  impersonated(user: UserInfo, constraint: string | undefined): void {
    this.#impersonated = userJson(user);
    this.#constraint = constraint;
  }

  /** The object of the body, after it was decoded; a patch as it came. */
  request(object: Json, isPatch = false): void {
    const reference = this.#reference;
    const metadata = object['metadata'] as Json | undefined;
    if (!isPatch && reference !== undefined && metadata !== undefined) {
      reference['namespace'] ||= metadata['namespace'];
      reference['name'] ||= metadata['name'];
      reference['uid'] ||= metadata['uid'];
      reference['resourceVersion'] ||= metadata['resourceVersion'];
    }
    if (!this.wantsRequest) return;
    const isPlain = isPatch || !this.#input.extent.omitManagedFields;
    this.#requestObject = structuredClone(isPlain ? object : withoutManagedFields(object));
  }

  /** `object` is asked for when it is wanted. */
  answered(code: number, object: () => unknown): void {
    this.#responseStatus ??= { metadata: {}, code };
    const mayBeStatus = code >= 400 || this.#input.access.verb === 'delete';
    if (!mayBeStatus && !this.wantsResponse) return;
    const found = object() as Json | undefined;
    if (found === undefined) return;
    if (found['kind'] === 'Status') {
      this.#responseStatus = { ...statusJson(found), code };
    }
    if (!this.wantsResponse) return;
    const { omitManagedFields } = this.#input.extent;
    this.#responseObject = omitManagedFields ? withoutManagedFields(found) : found;
  }

  /** Of what takes long: the answer has begun. */
  started(code: number): void {
    this.#responseStatus ??= { metadata: {}, code };
    this.#write('ResponseStarted');
  }

  /** Refused before it is known who asks: there is one event of it. */
  refused(answer: Json): void {
    this.#responseStatus = { metadata: {}, ...answer };
    this.#write('ResponseStarted');
    this.#isOver = true;
  }

  complete(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#responseStatus ??= {
      metadata: {},
      status: 'Success',
      message: 'Connection closed early',
      code: 200,
    };
    this.#write('ResponseComplete');
  }

  #write(stage: Stage): void {
    const { id, uri, userAgent, sourceIps, access, extent, nowUs, sink } = this.#input;
    if (extent.level === 'None' || extent.omitStages.has(stage)) return;
    const isBegun = stage !== 'RequestReceived';
    const known = (value: unknown): boolean => value !== undefined && value !== '';
    const reference = Object.entries(this.#reference ?? {}).filter(([, value]) => known(value));
    const agent =
      userAgent.length > AGENT_CHARACTERS_MAX
        ? `${userAgent.slice(0, AGENT_CHARACTERS_MAX)}...TRUNCATED`
        : userAgent;
    const event: Json = {
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level: extent.level,
      auditID: id,
      stage,
      requestURI: uri,
      verb: access.verb,
      user: userJson(access.user),
      impersonatedUser: this.#impersonated,
      authenticationMetadata:
        this.#constraint === undefined ? undefined : { impersonationConstraint: this.#constraint },
      sourceIPs: sourceIps,
      userAgent: agent === '' ? undefined : agent,
      objectRef: this.#reference === undefined ? undefined : Object.fromEntries(reference),
      responseStatus: isBegun ? this.#responseStatus : undefined,
      requestObject: isBegun ? this.#requestObject : undefined,
      responseObject: isBegun ? this.#responseObject : undefined,
      requestReceivedTimestamp: microTime(this.#receivedUs),
      stageTimestamp: microTime(nowUs()),
    };
    const annotations = Object.entries(this.annotations).filter(
      ([key]) => this.wantsRequest || !key.startsWith(PATCH_ANNOTATION),
    );
    if (annotations.length > 0) event['annotations'] = Object.fromEntries(annotations);
    sink.write(event);
  }
}
