// What a node may ask for: what belongs to the pods on it, and its own objects (the Node authorizer of
// kubernetes v1.37). What it may write in them is NodeRestriction's (admission/node-restriction.ts).
import { allows, type AccessRequest, type Rule } from '#kube/apiserver/rbac.ts';
import { nodeNameOf, type UserInfo } from '#kube/apiserver/user.ts';
import {
  ALLOW,
  noOpinion,
  unlisted,
  type Authorizer,
  type Decision,
  type KnownRules,
} from './authorizer.ts';
import type { NodeGraph, Related } from './node-graph.ts';

const LEASES = 'kube-node-lease';

const read = ['get', 'list', 'watch'];
const rule = (apiGroups: string[], resources: string[], verbs: string[]): Rule => ({
  apiGroups,
  resources,
  verbs,
});

/** Of every node; also the rules of the role system:node. */
export const nodeRules: readonly Rule[] = [
  rule(['authentication.k8s.io'], ['tokenreviews'], ['create']),
  rule(['authorization.k8s.io'], ['localsubjectaccessreviews', 'subjectaccessreviews'], ['create']),
  rule([''], ['services'], read),
  rule([''], ['nodes'], ['create', ...read]),
  rule([''], ['nodes/status'], ['patch', 'update']),
  rule([''], ['nodes'], ['patch', 'update']),
  rule(['', 'events.k8s.io'], ['events'], ['create', 'patch', 'update']),
  rule([''], ['pods'], read),
  rule([''], ['pods'], ['create', 'delete']),
  rule([''], ['pods/status'], ['patch', 'update']),
  rule([''], ['pods/eviction'], ['create']),
  rule([''], ['configmaps', 'secrets'], read),
  rule([''], ['persistentvolumeclaims', 'persistentvolumes'], ['get']),
  rule([''], ['endpoints'], ['get']),
  rule(['certificates.k8s.io'], ['certificatesigningrequests'], ['create', ...read]),
  rule(['coordination.k8s.io'], ['leases'], ['create', 'delete', 'get', 'patch', 'update']),
  rule(['storage.k8s.io'], ['volumeattachments'], ['get']),
  rule([''], ['serviceaccounts/token'], ['create']),
  rule([''], ['persistentvolumeclaims/status'], ['get', 'patch', 'update']),
  rule(['storage.k8s.io'], ['csidrivers'], read),
  rule(['storage.k8s.io'], ['csinodes'], ['create', 'delete', 'get', 'patch', 'update']),
  rule(['node.k8s.io'], ['runtimeclasses'], read),
  rule(['resource.k8s.io'], ['resourceclaims'], ['get']),
  rule(['resource.k8s.io'], ['resourceslices'], ['deletecollection']),
  rule(['certificates.k8s.io'], ['clustertrustbundles'], read),
  rule([''], ['serviceaccounts'], ['get']),
  rule(['certificates.k8s.io'], ['podcertificaterequests'], ['create', ...read]),
];

/** Whether a selector, among others, wants a field to be exactly this. */
function selects({ fieldSelector = '' }: AccessRequest, field: string, value: string): boolean {
  return fieldSelector.split(',').some((part) => {
    const found = /^([\w.]+)\s*==?(.*)$/.exec(part.trim());
    return found?.[1] === field && found[2] === value;
  });
}

const keyOf = ({ namespace, name = '' }: AccessRequest): string =>
  namespace === undefined || namespace === '' ? name : `${namespace}/${name}`;

export class NodeAuthorizer implements Authorizer {
  readonly #graph: NodeGraph;

  constructor(graph: NodeGraph) {
    this.#graph = graph;
  }

  authorize(access: AccessRequest): Decision {
    const node = nodeNameOf(access.user);
    if (node === undefined) return noOpinion();
    if (node === '') {
      return noOpinion(`unknown node for user ${JSON.stringify(access.user.name)}`);
    }
    const own = access.isResource ? this.#divided(node, access) : undefined;
    if (own !== undefined) return own;
    return nodeRules.some((one) => allows(one, access)) ? ALLOW : noOpinion();
  }

  /** What a node may do is no list of rules. */
  rules(user: UserInfo): KnownRules {
    return nodeNameOf(user) === undefined ? { rules: [] } : unlisted('node');
  }

  /** Undefined for what is the same for all nodes. */
  #divided(node: string, access: AccessRequest): Decision | undefined {
    const { group, resource, subresource } = access;
    switch (`${group}/${resource}`) {
      case '/secrets':
      case '/configmaps':
        return this.#read(node, resource as Related, access);
      case '/persistentvolumeclaims':
        return subresource === 'status'
          ? this.#writeStatus(node, resource as Related, access)
          : this.#get(node, resource as Related, access);
      case '/persistentvolumes':
      case 'resource.k8s.io/resourceclaims':
      case 'storage.k8s.io/volumeattachments':
        return this.#get(node, resource as Related, access);
      case '/serviceaccounts':
        return this.#account(node, access);
      case 'coordination.k8s.io/leases':
        return lease(node, access);
      case 'storage.k8s.io/csinodes':
        return csiNode(node, access);
      case 'resource.k8s.io/resourceslices':
        return this.#slice(node, access);
      case '/nodes':
        return ownNode(node, access);
      case '/pods':
        return this.#pod(node, access);
      case 'certificates.k8s.io/podcertificaterequests':
        return this.#podCertificate(node, access);
      default:
        return undefined;
    }
  }

  #related(node: string, what: Related, access: AccessRequest): Decision {
    if ((access.name ?? '') === '') return noOpinion('No Object name found');
    if (this.#graph.isRelated(node, what, keyOf(access))) return ALLOW;
    return noOpinion(`no relationship found between node '${node}' and this object`);
  }

  #get(node: string, what: Related, access: AccessRequest): Decision {
    if (access.verb !== 'get') {
      return noOpinion('can only get individual resources of this type');
    }
    if (access.subresource !== undefined) return noOpinion('cannot get subresource');
    return this.#related(node, what, access);
  }

  #read(node: string, what: Related, access: AccessRequest): Decision {
    if (!read.includes(access.verb)) return noOpinion('can only read resources of this type');
    if (access.subresource !== undefined) return noOpinion('cannot read subresource');
    if ((access.namespace ?? '') === '') {
      return noOpinion('can only read namespaced object of this type');
    }
    return this.#related(node, what, access);
  }

  #writeStatus(node: string, what: Related, access: AccessRequest): Decision {
    if (!['update', 'patch'].includes(access.verb)) {
      return noOpinion('can only get/update/patch this type');
    }
    return this.#related(node, what, access);
  }

  #account(node: string, access: AccessRequest): Decision {
    const { verb, subresource, name = '' } = access;
    if (verb === 'get' && subresource === undefined) {
      return this.#read(node, 'serviceaccounts', access);
    }
    if (verb !== 'create' || name === '') {
      return noOpinion('can only create tokens for individual service accounts');
    }
    if (subresource !== 'token') {
      return noOpinion('can only create token subresource of serviceaccount');
    }
    return this.#related(node, 'serviceaccounts', access);
  }

  #slice(node: string, access: AccessRequest): Decision {
    const { verb, subresource } = access;
    if (subresource !== undefined) return noOpinion('cannot authorize ResourceSlice subresources');
    switch (verb) {
      case 'create':
        return ALLOW;
      case 'get':
      case 'update':
      case 'patch':
      case 'delete':
        return this.#related(node, 'resourceslices', access);
      case 'watch':
      case 'list':
      case 'deletecollection':
        return selects(access, 'spec.nodeName', node)
          ? ALLOW
          : noOpinion(
              'can only list/watch/deletecollection resourceslices with nodeName field selector',
            );
      default:
        return noOpinion(
          'only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection',
        );
    }
  }

  #pod(node: string, access: AccessRequest): Decision {
    const { verb, subresource, name = '' } = access;
    switch (`${subresource ?? ''} ${verb}`) {
      case ' get':
        return this.#get(node, 'pods', access);
      case ' list':
      case ' watch':
        if (selects(access, 'spec.nodeName', node)) return ALLOW;
        if (name !== '') return this.#related(node, 'pods', access);
        return noOpinion('can only list/watch pods with spec.nodeName field selector');
      case ' create':
      case ' delete':
      case 'status update':
      case 'status patch':
      case 'eviction create':
        return ALLOW;
      default:
        return noOpinion();
    }
  }

  #podCertificate(node: string, access: AccessRequest): Decision {
    const { verb, subresource } = access;
    if (subresource !== undefined) {
      return noOpinion('nodes may not access the status subresource of PodCertificateRequests');
    }
    if (verb === 'create') return ALLOW;
    if (verb === 'get') return this.#related(node, 'podcertificaterequests', access);
    if (verb === 'list' || verb === 'watch') {
      return selects(access, 'spec.nodeName', node)
        ? ALLOW
        : noOpinion('can only list/watch podcertificaterequests with nodeName field selector');
    }
    return noOpinion(`nodes may not ${verb} podcertificaterequests`);
  }
}

const ownVerbs = ['get', 'create', 'update', 'patch', 'delete'];

function lease(node: string, { verb, namespace, name }: AccessRequest): Decision {
  if (!ownVerbs.includes(verb)) {
    return noOpinion('can only get, create, update, patch, or delete a node lease');
  }
  if (namespace !== LEASES) {
    return noOpinion(`can only access leases in the "${LEASES}" system namespace`);
  }
  // At creation the name is not known here.
  if (verb === 'create' || name === node) return ALLOW;
  return noOpinion('can only access node lease with the same name as the requesting node');
}

function csiNode(node: string, { verb, subresource, name }: AccessRequest): Decision {
  if (subresource === 'status') {
    return noOpinion('CSINode status access requires CSIVolumeHealth feature');
  }
  if (subresource !== undefined) return noOpinion('cannot authorize CSINode subresources');
  if (!ownVerbs.includes(verb)) {
    return noOpinion('can only get, create, update, patch, or delete a CSINode');
  }
  if (verb === 'create' || name === node) return ALLOW;
  return noOpinion('can only access CSINode with the same name as the requesting node');
}

function ownNode(node: string, { verb, subresource, name = '' }: AccessRequest): Decision {
  switch (`${subresource ?? ''} ${verb}`) {
    case ' create':
    case ' update':
    case ' patch':
    case 'status update':
    case 'status patch':
      return ALLOW;
    case ' get':
    case ' list':
    case ' watch':
      if (name === node) return ALLOW;
      return noOpinion(
        name === ''
          ? `node '${node}' cannot read all nodes, only its own Node object`
          : `node '${node}' cannot read '${name}', only its own Node object`,
      );
    default:
      return noOpinion();
  }
}
