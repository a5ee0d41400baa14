// Which built-in kinds answer a deletion with what was deleted, where others answer with a bare success.

const answering = new Set([
  '/persistentvolumeclaims',
  '/persistentvolumes',
  '/pods',
  '/podtemplates',
  '/resourcequotas',
  '/serviceaccounts',
  '/services',
  'resource.k8s.io/deviceclasses',
  'resource.k8s.io/resourceclaims',
  'resource.k8s.io/resourceclaimtemplates',
  'resource.k8s.io/resourceslices',
  'storage.k8s.io/csidrivers',
  'storage.k8s.io/csinodes',
  'storage.k8s.io/storageclasses',
  'storage.k8s.io/volumeattachments',
  'storage.k8s.io/volumeattributesclasses',
]);

interface Resource {
  readonly group: string;
  readonly resource: string;
}

/** As OpenAPI describes them: namespaces do so as well, and do not say it. */
export function answersDeleted({ group, resource }: Resource): boolean {
  return answering.has(`${group}/${resource}`);
}
