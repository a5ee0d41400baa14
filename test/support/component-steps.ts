// What is said of the components of a cluster (v1 ComponentStatus). Of those that may listen on the machine, nothing is
// compared: it is the machine's. Upstream lists them as they answer, so lists are of one.
import { get } from './step-makers.ts';
import type { Step } from './step-player.ts';

const path = '/api/v1/componentstatuses';
const forms = {
  JSON: 'application/json',
  YAML: 'application/yaml',
  'a table': 'application/json;as=Table;v=v1;g=meta.k8s.io',
  'metadata only': 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
  'metadata of a list': 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
  protobuf: 'application/vnd.kubernetes.protobuf',
};

export function componentSteps(): Step[] {
  const asked = {
    one: `${path}/etcd-0`,
    none: `${path}/etcd-1`,
    'a list of one': `${path}?fieldSelector=metadata.name%3Detcd-0`,
    'a list of none': `${path}?labelSelector=a%3Db`,
    'a page': `${path}?limit=1&fieldSelector=metadata.name%3Detcd-0`,
  };
  return [
    ...Object.entries(asked).flatMap(([what, at]) =>
      Object.entries(forms).map(([form, accept]) => ({
        ...get(`${what} as ${form}`, at),
        headers: { accept },
      })),
    ),
    get('by another field', `${path}?fieldSelector=spec.x%3Dy`),
    get('by a wrong label', `${path}?labelSelector=!!`),
    get('of an odd version', `${path}/etcd-0?resourceVersion=x`),
    get('a list of an odd version', `${path}?resourceVersion=x&labelSelector=a%3Db`),
    get('of a late version', `${path}/etcd-0?resourceVersion=99999999`),
    get('a list of a late version', `${path}?resourceVersion=99999999&labelSelector=a%3Db`),
    get('a list from a token', `${path}?continue=x&labelSelector=a%3Db`),
    { name: 'made', method: 'POST', path, body: { metadata: { name: 'x' } } },
    { name: 'removed', method: 'DELETE', path: `${path}/etcd-0` },
    get('watched', `${path}?watch=true&timeoutSeconds=1&labelSelector=a%3Db`),
  ];
}
