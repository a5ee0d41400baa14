// Calls of containerd's own API (package containerd.services, as of 1.6) over its unix socket, in one namespace. Message
// types are the tags of its .proto files, as far as they are used here; unknown fields are skipped on reading.
import { GrpcClient, type GrpcTable } from '#codec/grpc-client.ts';
import { Codec } from '#codec/protobuf-codec.ts';
import { Schema } from '#codec/protobuf.ts';

const codec = new Codec(
  new Schema({
    Empty: '',
    Any: 'type_url 1:s,value 2:b',
    Timestamp: 'seconds 1:l,nanos 2:i',
    Mount: 'type 1:s,source 2:s,target 3:s,options+4:s',
    Descriptor: 'media_type 1:s,digest 2:s,size 3:l,annotations%5:s',
    FieldMask: 'paths+1:s',
    VersionResponse: 'version 1:s,revision 2:s',
    Runtime: 'name 1:s,options 2:Any',
    Container:
      'id 1:s,labels%2:s,image 3:s,runtime 4:Runtime,spec 5:Any,snapshotter 6:s,snapshot_key 7:s',
    ContainerById: 'id 1:s',
    WithContainer: 'container 1:Container',
    Containers: 'containers+1:Container',
    Filtered: 'filters+1:s',
    CreateTask:
      'container_id 1:s,rootfs+3:Mount,stdin 4:s,stdout 5:s,stderr 6:s,terminal 7:B,options 9:Any',
    TaskCreated: 'container_id 1:s,pid 2:u',
    OfTask: 'container_id 1:s,exec_id 2:s',
    TaskStarted: 'pid 1:u',
    TaskProcess: 'container_id 1:s,pid 3:u,status 4:i,exit_status 9:u,exited_at 10:Timestamp',
    TaskFound: 'process 1:TaskProcess',
    TaskEnd: 'exit_status 1:u,exited_at 2:Timestamp',
    TaskDeleted: 'id 1:s,pid 2:u,exit_status 3:u,exited_at 4:Timestamp',
    TaskKill: 'container_id 1:s,exec_id 2:s,signal 3:u,all 4:B',
    TaskInput: 'container_id 1:s,exec_id 2:s,stdin 3:B',
    TaskSize: 'container_id 1:s,exec_id 2:s,width 3:u,height 4:u',
    ContentInfo: 'digest 1:s,size 2:l,labels%5:s',
    ContentByDigest: 'digest 1:s',
    WithContent: 'info 1:ContentInfo',
    UpdateContent: 'info 1:ContentInfo,update_mask 2:FieldMask',
    WriteContent: 'action 1:i,ref 2:s,total 3:l,expected 4:s,offset 5:l,data 6:b,labels%7:s',
    ContentWritten: 'action 1:i,offset 4:l,total 5:l,digest 6:s',
    ReadContent: 'digest 1:s,offset 2:l,size 3:l',
    ContentRead: 'offset 1:l,data 2:b',
    NewSnapshot: 'snapshotter 1:s,key 2:s,parent 3:s,labels%4:s',
    Mounts: 'mounts+1:Mount',
    OfSnapshot: 'snapshotter 1:s,key 2:s',
    CommitSnapshot: 'snapshotter 1:s,name 2:s,key 3:s,labels%4:s',
    SnapshotInfo: 'name 1:s,parent 2:s,kind 3:i,labels%6:s',
    WithSnapshot: 'info 1:SnapshotInfo',
    Apply: 'diff 1:Descriptor,mounts+2:Mount',
    Applied: 'applied 1:Descriptor',
    Image: 'name 1:s,labels%2:s,target 3:Descriptor',
    WithImage: 'image 1:Image',
    ImageByName: 'name 1:s,sync 2:B',
    Images: 'images+1:Image',
    NewLease: 'id 1:s,labels%3:s',
    LeaseById: 'id 1:s,sync 2:B',
    LeaseResource: 'id 1:s,type 2:s',
    HoldByLease: 'id 1:s,resource 2:LeaseResource',
    Leases: 'leases+1:NewLease',
  }),
);

/** Method -> what is sent and what comes back. */
const METHODS = {
  'version.v1.Version/Version': ['Empty', 'VersionResponse'],
  'containers.v1.Containers/Get': ['ContainerById', 'WithContainer'],
  'containers.v1.Containers/List': ['Filtered', 'Containers'],
  'containers.v1.Containers/Create': ['WithContainer', 'WithContainer'],
  'containers.v1.Containers/Delete': ['ContainerById', 'Empty'],
  'tasks.v1.Tasks/Create': ['CreateTask', 'TaskCreated'],
  'tasks.v1.Tasks/Start': ['OfTask', 'TaskStarted'],
  'tasks.v1.Tasks/Get': ['OfTask', 'TaskFound'],
  'tasks.v1.Tasks/Wait': ['OfTask', 'TaskEnd'],
  'tasks.v1.Tasks/Kill': ['TaskKill', 'Empty'],
  'tasks.v1.Tasks/CloseIO': ['TaskInput', 'Empty'],
  'tasks.v1.Tasks/ResizePty': ['TaskSize', 'Empty'],
  'tasks.v1.Tasks/Delete': ['OfTask', 'TaskDeleted'],
  'content.v1.Content/Info': ['ContentByDigest', 'WithContent'],
  'content.v1.Content/Update': ['UpdateContent', 'WithContent'],
  'content.v1.Content/Write': ['WriteContent', 'ContentWritten'],
  'content.v1.Content/Read': ['ReadContent', 'ContentRead'],
  'snapshots.v1.Snapshots/Prepare': ['NewSnapshot', 'Mounts'],
  'snapshots.v1.Snapshots/Mounts': ['OfSnapshot', 'Mounts'],
  'snapshots.v1.Snapshots/Commit': ['CommitSnapshot', 'Empty'],
  'snapshots.v1.Snapshots/Stat': ['OfSnapshot', 'WithSnapshot'],
  'snapshots.v1.Snapshots/Remove': ['OfSnapshot', 'Empty'],
  'diff.v1.Diff/Apply': ['Apply', 'Applied'],
  'images.v1.Images/Get': ['ImageByName', 'WithImage'],
  'images.v1.Images/List': ['Filtered', 'Images'],
  'images.v1.Images/Create': ['WithImage', 'WithImage'],
  'images.v1.Images/Update': ['WithImage', 'WithImage'],
  'images.v1.Images/Delete': ['ImageByName', 'Empty'],
  'leases.v1.Leases/Create': ['NewLease', 'Empty'],
  'leases.v1.Leases/AddResource': ['HoldByLease', 'Empty'],
  'leases.v1.Leases/Delete': ['LeaseById', 'Empty'],
  'leases.v1.Leases/List': ['Filtered', 'Leases'],
} as const;
export type ContainerdMethod = keyof typeof METHODS;

const TABLE: GrpcTable<ContainerdMethod> = {
  package: 'containerd.services',
  codec,
  methods: METHODS,
  fault: 'containerd',
};

export interface ContainerdMount {
  readonly type?: string | undefined;
  readonly source?: string | undefined;
  readonly options?: readonly string[] | undefined;
}

/** Of a task: created 1, running 2, stopped 3. */
export interface TaskProcess {
  readonly pid?: number | undefined;
  readonly status?: number | undefined;
  readonly exit_status?: number | undefined;
  readonly exited_at?: { readonly seconds?: number; readonly nanos?: number } | undefined;
}

/** What of an answer is read somewhere. */
export interface ContainerdAnswer {
  readonly version?: string;
  readonly container?: { readonly id?: string; readonly labels?: Readonly<Record<string, string>> };
  readonly containers?: readonly {
    readonly id?: string;
    readonly labels?: Readonly<Record<string, string>>;
  }[];
  readonly pid?: number;
  readonly process?: TaskProcess;
  readonly exit_status?: number;
  readonly exited_at?: TaskProcess['exited_at'];
  readonly mounts?: readonly ContainerdMount[];
  readonly info?: { readonly size?: number };
  readonly applied?: { readonly digest?: string };
  /** Of content that is being written: so much is there. */
  readonly offset?: number;
  readonly data?: Uint8Array;
  readonly image?: ContainerdImage;
  readonly images?: readonly ContainerdImage[];
  readonly leases?: readonly {
    readonly id?: string;
    readonly labels?: Readonly<Record<string, string>>;
  }[];
}

export interface ContainerdImage {
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly target?: { readonly digest?: string };
}

/** gRPC's numbers of what went wrong. */
const STATUS = { 'not-found': 5, exists: 6, 'failed-precondition': 9, unavailable: 14 } as const;

/** Looks at a Fault `containerd`. */
export function isContainerd(error: unknown, status: keyof typeof STATUS): boolean {
  const { detail } = (error ?? {}) as { readonly detail?: { readonly status?: unknown } };
  return detail?.status === STATUS[status];
}

/** To pull and to unpack takes long. */
const TIMEOUT_MS = 10 * 60_000;

export interface ContainerdCall {
  /** What is made is held by that lease. */
  readonly lease?: string | undefined;
  /** Absent: ten minutes. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export class ContainerdClient {
  readonly namespace: string;
  readonly #socket: string;
  #client: Promise<GrpcClient<ContainerdMethod>> | undefined;

  /** `socket`: a path, or `unix://` and one. It is opened by the first call. */
  constructor(socket: string, namespace: string) {
    this.#socket = socket;
    this.namespace = namespace;
  }

  #open(): Promise<GrpcClient<ContainerdMethod>> {
    this.#client ??= GrpcClient.open(this.#socket, TABLE);
    return this.#client;
  }

  #metadata({ lease }: ContainerdCall): Record<string, string> {
    const own = { 'containerd-namespace': this.namespace };
    return lease === undefined ? own : { ...own, 'containerd-lease': lease };
  }

  /** Rejects with a Fault `containerd`. */
  async call(
    method: ContainerdMethod,
    request: object = {},
    options: ContainerdCall = {},
  ): Promise<ContainerdAnswer> {
    const client = await this.#open();
    const { timeoutMs = TIMEOUT_MS, signal } = options;
    return client.call(method, request, { timeoutMs, signal, metadata: this.#metadata(options) });
  }

  /** Until the task has ended, or containerd has: it has no deadline. */
  async waitForTask(container_id: string, signal: AbortSignal): Promise<ContainerdAnswer> {
    const client = await this.#open();
    const metadata = this.#metadata({});
    return client.call('tasks.v1.Tasks/Wait', { container_id }, { signal, metadata });
  }

  /** Of content: written by several requests, or read by several answers. */
  async stream(
    method: 'content.v1.Content/Write' | 'content.v1.Content/Read',
    requests: AsyncIterable<object> | Iterable<object>,
    options: ContainerdCall = {},
  ): Promise<readonly ContainerdAnswer[]> {
    const client = await this.#open();
    const { timeoutMs = TIMEOUT_MS, signal } = options;
    const metadata = this.#metadata(options);
    return client.stream(method, requests, { timeoutMs, signal, metadata });
  }

  close(): void {
    void this.#client?.then((client) => client.close());
    this.#client = undefined;
  }
}
