// Expressions of mutations: what each puts into a pod, and what each list of operations does to a config map. The
// names are those of the cases.
export const onPods: Readonly<Record<string, string>> = {
  sidecar:
    'Object{spec: Object.spec{containers: [Object.spec.containers{name: "side", image: "s:1"}], initContainers: [Object.spec.initContainers{name: "i", image: "i:1", restartPolicy: "Always"}]}}',
  'same-container':
    'Object{spec: Object.spec{containers: object.spec.containers.map(c, Object.spec.containers{name: c.name, env: [Object.spec.containers.env{name: "B", value: c.image}, Object.spec.containers.env{name: "A", value: "2"}]})}}',
  limits:
    'Object{spec: Object.spec{containers: [Object.spec.containers{name: "main", resources: Object.spec.containers.resources{limits: {"cpu": "1", "memory": "64Mi"}}}]}}',
  'atomic-list':
    'Object{spec: Object.spec{tolerations: [Object.spec.tolerations{key: "a", operator: "Exists"}]}}',
  'atomic-map': 'Object{spec: Object.spec{nodeSelector: {"a": "b"}}}',
  'two-atomics':
    'Object{spec: Object.spec{nodeSelector: {"a": "b"}, containers: [Object.spec.containers{name: "main", command: ["a"]}]}}',
  'number-for-string': 'Object{spec: Object.spec{schedulerName: 5}}',
  'string-for-number': 'Object{spec: Object.spec{priority: "5"}}',
  'double-for-number': 'Object{spec: Object.spec{terminationGracePeriodSeconds: 5.0}}',
  'half-for-number': 'Object{spec: Object.spec{terminationGracePeriodSeconds: 5.5}}',
  number: 'Object{spec: Object.spec{terminationGracePeriodSeconds: 5}}',
  unsigned: 'Object{spec: Object.spec{terminationGracePeriodSeconds: 5u}}',
  'unknown-field': 'Object{spec: Object.spec{nothing: "5"}}',
  'null-value': 'Object{spec: Object.spec{hostname: null}}',
  empty: 'Object{}',
  'empty-spec': 'Object{spec: Object.spec{}}',
  condition: 'has(object.spec.hostname) ? Object{} : Object{spec: Object.spec{hostname: "h"}}',
  'optional-none': 'Object{spec: Object.spec{?hostname: object.spec.?nothing}}',
  'optional-some': 'Object{spec: Object.spec{?hostname: object.metadata.?name}}',
  'optional-list':
    'Object{spec: Object.spec{containers: [Object.spec.containers{name: "main", ?image: optional.of("o:1")}]}}',
  'wrong-type-name': 'Object{spec: Object.metadata{labels: {"a": "b"}}}',
  'wrong-type-in-list':
    'Object{spec: Object.spec{containers: [Object.spec.initContainers{name: "main"}]}}',
  'null-number': 'Object{spec: Object.spec{priority: null}}',
  'null-object': 'Object{spec: null}',
  'null-list': 'Object{spec: Object.spec{containers: null}}',
  'text-for-list': 'Object{spec: Object.spec{containers: "x"}}',
  'text-for-object': 'Object{spec: "x"}',
  'text-for-bool': 'Object{spec: Object.spec{hostNetwork: "x"}}',
  name: 'Object{metadata: Object.metadata{name: "other"}}',
  kind: 'Object{kind: "Other", apiVersion: "v2", metadata: Object.metadata{labels: {"kind": "x"}}}',
  'labels-map': 'Object{metadata: Object.metadata{labels: {"a/b": "c", "d": "e"}}}',
  'labels-object': 'Object{metadata: Object.metadata{labels: Object.metadata.labels{a: "b"}}}',
  'labels-number': 'Object{metadata: Object.metadata{labels: {"a": 1}}}',
  'labels-int-key': 'Object{metadata: Object.metadata{labels: {1: "a"}}}',
  'labels-wrong': 'Object{metadata: Object.metadata{labels: {"a b": "c"}}}',
  'labels-joined':
    'Object{metadata: Object.metadata{annotations: {"all": object.spec.containers.map(c, c.name).join(",") + string(object.spec.containers[0].env.size())}}}',
  finalizers: 'Object{metadata: Object.metadata{finalizers: ["a.b/c"]}}',
  'same-twice':
    'Object{spec: Object.spec{containers: [Object.spec.containers{name: "a", image: "x"}, Object.spec.containers{name: "a", image: "y"}]}}',
  'no-key': 'Object{spec: Object.spec{containers: [Object.spec.containers{image: "x"}]}}',
  ports:
    'Object{spec: Object.spec{containers: [Object.spec.containers{name: "main", ports: [Object.spec.containers.ports{containerPort: 80}]}]}}',
  'maps-not-objects': 'Object{spec: {"hostname": "h"}}',
  'list-of-maps': 'Object{spec: Object.spec{containers: [{"name": "side", "image": "s:1"}]}}',
  mixed:
    'Object{spec: Object.spec{securityContext: Object.spec.securityContext{runAsNonRoot: true, runAsUser: 5}}}',
  seccomp:
    'Object{spec: Object.spec{securityContext: Object.spec.securityContext{seccompProfile: Object.spec.securityContext.seccompProfile{type: "RuntimeDefault"}}}}',
  'invalid-result':
    'Object{spec: Object.spec{containers: [Object.spec.containers{name: "Not Good", image: "x"}]}}',
  bytes: 'Object{metadata: Object.metadata{annotations: {"a": b"abc"}}}',
  duration: 'Object{spec: Object.spec{hostname: duration("5s")}}',
  time: 'Object{spec: Object.spec{hostname: timestamp("2026-01-02T03:04:05Z")}}',
  type: 'Object{spec: Object.spec{hostname: type(1)}}',
  copied: 'Object{metadata: Object.metadata{annotations: object.metadata.labels}}',
  'copied-container': 'Object{spec: Object.spec{initContainers: [object.spec.containers[0]]}}',
  'no-such-field': 'Object{spec: Object.spec{hostname: object.spec.hostname}}',
  'no-such-index': 'Object{spec: Object.spec{hostname: object.spec.containers[3].name}}',
  division: 'Object{spec: Object.spec{priority: 1 / (object.spec.containers.size() - 1)}}',
  user: 'Object{metadata: Object.metadata{annotations: {"user": request.userInfo.username, "op": request.operation, "kind": request.kind.kind, "res": request.resource.resource, "ns": namespaceObject.metadata.name, "old": string(oldObject == null), "name": request.name, "dry": string(request.dryRun)}}}',
  authorizer:
    'Object{metadata: Object.metadata{annotations: {"may": string(authorizer.requestResource.check("create").allowed())}}}',
  status: 'Object{status: Object.status{phase: "Running"}}',
};

/** A list of operations; the value of each is an expression. */
export const onMaps: Readonly<Record<string, string>> = {
  'p-add': '[JSONPatch{op: "add", path: "/data/b", value: "x"}]',
  'p-add-twice':
    '[JSONPatch{op: "add", path: "/data/b", value: "x"}, JSONPatch{op: "add", path: "/data/b", value: "y"}]',
  'p-replace': '[JSONPatch{op: "replace", path: "/data/a", value: "x"}]',
  'p-replace-none': '[JSONPatch{op: "replace", path: "/data/none", value: "x"}]',
  'p-remove': '[JSONPatch{op: "remove", path: "/data/a"}]',
  'p-remove-none': '[JSONPatch{op: "remove", path: "/data/none"}]',
  'p-move': '[JSONPatch{op: "move", from: "/data/a", path: "/data/b"}]',
  'p-move-none': '[JSONPatch{op: "move", from: "/data/none", path: "/data/b"}]',
  'p-copy': '[JSONPatch{op: "copy", from: "/data/a", path: "/data/b"}]',
  'p-test':
    '[JSONPatch{op: "test", path: "/data/a", value: "1"}, JSONPatch{op: "add", path: "/data/b", value: "x"}]',
  'p-test-fails':
    '[JSONPatch{op: "add", path: "/data/b", value: "x"}, JSONPatch{op: "test", path: "/data/a", value: "2"}]',
  'p-test-none':
    '[JSONPatch{op: "test", path: "/data/none", value: "2"}, JSONPatch{op: "add", path: "/data/b", value: "x"}]',
  'p-test-null':
    '[JSONPatch{op: "test", path: "/data/none", value: null}, JSONPatch{op: "add", path: "/data/b", value: "x"}]',
  'p-odd': '[JSONPatch{op: "odd", path: "/data/a", value: "2"}]',
  'p-no-op': '[JSONPatch{path: "/data/a", value: "2"}]',
  'p-no-path': '[JSONPatch{op: "add", value: "2"}]',
  'p-no-value': '[JSONPatch{op: "add", path: "/data/b"}]',
  'p-null': '[JSONPatch{op: "add", path: "/data/b", value: null}]',
  'p-number': '[JSONPatch{op: "add", path: "/data/b", value: 5}]',
  'p-wrong-path': '[JSONPatch{op: "add", path: "data/b", value: "x"}]',
  'p-deep-path': '[JSONPatch{op: "add", path: "/none/deep/b", value: "x"}]',
  'p-unknown': '[JSONPatch{op: "add", path: "/none", value: "x"}]',
  'p-object':
    '[JSONPatch{op: "replace", path: "/metadata", value: Object.metadata{name: "renamed", labels: {"a": "b"}}}]',
  'p-object-wrong':
    '[JSONPatch{op: "replace", path: "/metadata", value: Object{metadata: Object.spec{a: 1}}}]',
  'p-map': '[JSONPatch{op: "add", path: "/data", value: {"z": "1", "y": "2"}}]',
  'p-list': '[JSONPatch{op: "add", path: "/metadata/finalizers", value: ["a.b/c", "a.b/d"]}]',
  'p-bool': '[JSONPatch{op: "add", path: "/immutable", value: true}]',
  'p-bytes': '[JSONPatch{op: "add", path: "/binaryData", value: {"k": b"abc"}}]',
  'p-time':
    '[JSONPatch{op: "add", path: "/data/t", value: timestamp("2026-01-02T03:04:05Z")}, JSONPatch{op: "add", path: "/data/d", value: duration("90s")}]',
  'p-whole': '[JSONPatch{op: "replace", path: "", value: {"a": "b"}}]',
  'p-escape':
    '[JSONPatch{op: "add", path: "/metadata/annotations", value: {}}, JSONPatch{op: "add", path: "/metadata/annotations/" + jsonpatch.escapeKey("a.b/c~d"), value: "x"}]',
  'p-append':
    '[JSONPatch{op: "add", path: "/metadata/finalizers", value: ["a.b/c"]}, JSONPatch{op: "add", path: "/metadata/finalizers/-", value: "a.b/d"}, JSONPatch{op: "add", path: "/metadata/finalizers/0", value: "a.b/b"}]',
  'p-index': '[JSONPatch{op: "add", path: "/metadata/finalizers/0", value: "a.b/d"}]',
  'p-out-of-range':
    '[JSONPatch{op: "add", path: "/metadata/finalizers", value: ["a.b/c"]}, JSONPatch{op: "add", path: "/metadata/finalizers/7", value: "a.b/d"}]',
  'p-none': '[]',
  'p-conditional': 'has(object.data.a) ? [JSONPatch{op: "add", path: "/data/b", value: "x"}] : []',
  'p-mapped':
    'object.data.map(k, JSONPatch{op: "add", path: "/data/" + k + "2", value: object.data[k] + "2"})',
  'p-quote': '[JSONPatch{op: "add", path: "/data/b", value: "a\\"b\\n\\u00e9"}]',
  'p-odd-key': '[JSONPatch{op: "add", path: "/data/k\u00e9", value: "a"}]',
  'p-fails': '[JSONPatch{op: "add", path: "/data/b", value: object.data.none}]',
  'p-same': '[JSONPatch{op: "replace", path: "/data/a", value: object.data.a}]',
  'p-dyn-op': '[JSONPatch{op: object.data.a, path: "/data/a"}]',
  'p-label':
    '[JSONPatch{op: "add", path: "/metadata/labels/x", value: string(object.metadata.labels.size())}]',
};
