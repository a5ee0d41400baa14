// Calls of a CSI plugin (Container Storage Interface, version 1) over its unix socket: its identity, and what it does
// on this machine. Message types are the tags of csi.proto (1.13).
import { GrpcClient, type GrpcTable } from '#codec/grpc-client.ts';
import { Codec } from '#codec/protobuf-codec.ts';
import { Schema } from '#codec/protobuf.ts';

/** A file system is made while a volume is staged for the first time. */
const DEADLINE_MS = 10 * 60_000;
const PACKAGE = 'csi.v1';

const codec = new Codec(
  new Schema({
    Nothing: '',
    ProbeResponse: 'ready 1:Bool',
    Bool: 'value 1:B',
    GetPluginInfoResponse: 'name 1:s,vendor_version 2:s',
    NodeGetCapabilitiesResponse: 'capabilities+1:NodeCapability',
    NodeCapability: 'rpc 1:NodeRpc',
    NodeRpc: 'type 1:i',
    AccessMode: 'mode 1:=AccessModeMode',
    AccessModeMode:
      '=UNKNOWN=0 SINGLE_NODE_WRITER=1 SINGLE_NODE_READER_ONLY=2 MULTI_NODE_READER_ONLY=3 MULTI_NODE_SINGLE_WRITER=4 MULTI_NODE_MULTI_WRITER=5',
    Mount: 'fs_type 1:s,mount_flags+2:s',
    Capability: 'block 1:Nothing,mount 2:Mount,access_mode 3:AccessMode',
    NodeStageVolumeRequest:
      'volume_id 1:s,staging_target_path 3:s,volume_capability 4:Capability,secrets%5:s,volume_context%6:s',
    NodeUnstageVolumeRequest: 'volume_id 1:s,staging_target_path 2:s',
    NodePublishVolumeRequest:
      'volume_id 1:s,staging_target_path 3:s,target_path 4:s,volume_capability 5:Capability,readonly 6:B,secrets%7:s,volume_context%8:s',
    NodeUnpublishVolumeRequest: 'volume_id 1:s,target_path 2:s',
  }),
);

/** Method -> what is sent and what comes back. */
const METHODS = {
  'Identity/Probe': ['Nothing', 'ProbeResponse'],
  'Identity/GetPluginInfo': ['Nothing', 'GetPluginInfoResponse'],
  'Node/NodeGetCapabilities': ['Nothing', 'NodeGetCapabilitiesResponse'],
  'Node/NodeStageVolume': ['NodeStageVolumeRequest', 'Nothing'],
  'Node/NodeUnstageVolume': ['NodeUnstageVolumeRequest', 'Nothing'],
  'Node/NodePublishVolume': ['NodePublishVolumeRequest', 'Nothing'],
  'Node/NodeUnpublishVolume': ['NodeUnpublishVolumeRequest', 'Nothing'],
} as const;
export type CsiMethod = keyof typeof METHODS;
const TABLE: GrpcTable<CsiMethod> = { package: PACKAGE, codec, methods: METHODS, fault: 'csi' };

interface Answers {
  readonly ready?: { readonly value?: boolean };
  readonly name?: string;
  readonly vendor_version?: string;
  readonly capabilities?: readonly { readonly rpc?: { readonly type?: number } }[];
}

export class CsiClient {
  readonly #client: GrpcClient<CsiMethod>;

  private constructor(client: GrpcClient<CsiMethod>) {
    this.#client = client;
  }

  /** `endpoint`: a path, or `unix://` and one. */
  static async open(endpoint: string): Promise<CsiClient> {
    return new CsiClient(await GrpcClient.open(endpoint, TABLE));
  }

  /** Rejects with a Fault `csi`, in the plugin's own words, with its gRPC status as `status`. */
  call(method: CsiMethod, request: object = {}): Promise<Answers> {
    return this.#client.call(method, request, { timeoutMs: DEADLINE_MS });
  }

  close(): void {
    this.#client.close();
  }
}

const STAGE_UNSTAGE_VOLUME = 1;

/** Whether a plugin stages volumes before it publishes them. */
export function stagesVolumes({ capabilities = [] }: Answers): boolean {
  return capabilities.some(({ rpc }) => rpc?.type === STAGE_UNSTAGE_VOLUME);
}
