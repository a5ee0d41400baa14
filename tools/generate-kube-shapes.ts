// Makes src/kube/types/generated/shapes.json: the fields of kube-apiserver's own types, which it shows in some
// messages where the API has other names. Needs Go and its module proxy, with the modules of Kubernetes v1.37.2.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const VERSION = 'v1.37.2';
const target = join(import.meta.dirname, '../src/kube/types/generated/shapes.json');

/** Types within the server, and those of the API that have the same fields. */
const roots: readonly (readonly [own: string, api: string])[] = [
  ['core.PodTemplateSpec', 'corev1.PodTemplateSpec'],
  ['core.NodeSelector', 'corev1.NodeSelector'],
  ['core.PersistentVolumeSpec', 'corev1.PersistentVolumeSpec'],
  ['core.PersistentVolumeClaim', 'corev1.PersistentVolumeClaim'],
  ['core.Taint', 'corev1.Taint'],
  ['core.EndpointAddress', 'corev1.EndpointAddress'],
  ['core.ServicePort', 'corev1.ServicePort'],
  ['batch.PodFailurePolicy', 'batchv1.PodFailurePolicy'],
  ['batch.SuccessPolicy', 'batchv1.SuccessPolicy'],
  ['resource.ResourceClaimTemplateSpec', 'resourcev1.ResourceClaimTemplateSpec'],
  ['storage.CSINodeDriver', 'storagev1.CSINodeDriver'],
  ['ext.CustomResourceDefinitionVersion', 'extv1.CustomResourceDefinitionVersion'],
  ['rbac.RoleRef', 'rbacv1.RoleRef'],
  ['certificates.PodCertificateRequestSpec', 'certificatesv1beta1.PodCertificateRequestSpec'],
];

/**
 * A line for each field: `Name json type=zero`; a type is `v` for what marshals itself, `@T`, `[T`, `{T`. `*json:@T` is
 * embedded, `!json,options:type` has the names of the API.
 */
const program = `package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	certificatesv1beta1 "k8s.io/api/certificates/v1beta1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	resourcev1 "k8s.io/api/resource/v1"
	storagev1 "k8s.io/api/storage/v1"
	ext "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	extv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/kubernetes/pkg/apis/batch"
	"k8s.io/kubernetes/pkg/apis/certificates"
	"k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/apis/rbac"
	"k8s.io/kubernetes/pkg/apis/resource"
	"k8s.io/kubernetes/pkg/apis/storage"
)

var shapes = map[string][]string{}
var marshaler = reflect.TypeOf((*json.Marshaler)(nil)).Elem()

func marshals(t reflect.Type) bool {
	return t.Implements(marshaler) || reflect.PointerTo(t).Implements(marshaler)
}

func typeOf(own, api reflect.Type) string {
	for own.Kind() == reflect.Pointer {
		own = own.Elem()
	}
	for api.Kind() == reflect.Pointer {
		api = api.Elem()
	}
	if marshals(own) {
		return "v"
	}
	switch own.Kind() {
	case reflect.Struct:
		walk(own, api)
		return "@" + own.Name()
	case reflect.Slice:
		if own.Elem().Kind() == reflect.Uint8 {
			return "v"
		}
		return "[" + typeOf(own.Elem(), api.Elem())
	case reflect.Map:
		return "{" + typeOf(own.Elem(), api.Elem())
	}
	return "v"
}

func zeroOf(t reflect.Type) string {
	if t.Kind() != reflect.Pointer && marshals(t) {
		text, _ := json.Marshal(reflect.New(t).Interface())
		return string(text)
	}
	switch t.Kind() {
	case reflect.String:
		return "\\"\\""
	case reflect.Bool:
		return "false"
	case reflect.Int32, reflect.Int64, reflect.Int, reflect.Float64:
		return "0"
	case reflect.Struct:
		return "{}"
	}
	return "null"
}

func walk(own, api reflect.Type) {
	name := own.Name()
	if _, ok := shapes[name]; ok {
		return
	}
	shapes[name] = nil
	rows := []string{}
	for i := 0; i < own.NumField(); i++ {
		field := own.Field(i)
		tag := field.Tag.Get("json")
		other, ok := api.FieldByName(field.Name)
		if !ok {
			panic(name + "." + field.Name + " is not in the API")
		}
		key := strings.Split(other.Tag.Get("json"), ",")[0]
		kind := typeOf(field.Type, other.Type)
		switch {
		case field.Anonymous && tag == "":
			rows = append(rows, fmt.Sprintf("*%s:%s", key, kind))
		case tag != "":
			rows = append(rows, fmt.Sprintf("!%s:%s", tag, kind))
		default:
			rows = append(rows, fmt.Sprintf("%s %s %s=%s", field.Name, key, kind, zeroOf(field.Type)))
		}
	}
	shapes[name] = rows
}

func main() {
	ROOTS
	json.NewEncoder(os.Stdout).Encode(shapes)
}
`;

function moduleFolder(folder: string, module: string): string {
  const answer = execFileSync('go', ['mod', 'download', '-json', module], { cwd: folder });
  return (JSON.parse(answer.toString()) as { Dir: string }).Dir;
}

const folder = mkdtempSync(join(tmpdir(), 'strata-shapes-'));
try {
  writeFileSync(join(folder, 'go.mod'), 'module shapes\n\ngo 1.26\n');
  const kubernetes = moduleFolder(folder, `k8s.io/kubernetes@${VERSION}`);
  const mod = readFileSync(join(kubernetes, 'go.mod'), 'utf8');
  const staging = VERSION.replace('v1.', 'v0.');
  const needed = [...mod.matchAll(/^\t(\S+) (v\S+)/gm)].map(([, name = '', version = '']) =>
    version === 'v0.0.0' ? `${name} ${staging}` : `${name} ${version}`,
  );
  const all = [`k8s.io/kubernetes ${VERSION}`, ...needed].map((one) => `\t${one}`).join('\n');
  writeFileSync(join(folder, 'go.mod'), `module shapes\n\ngo 1.26\n\nrequire (\n${all}\n)\n`);
  writeFileSync(join(folder, 'go.sum'), readFileSync(join(kubernetes, 'go.sum')));
  const walks = roots.map(
    ([own, api]) => `walk(reflect.TypeOf(${own}{}), reflect.TypeOf(${api}{}))`,
  );
  writeFileSync(join(folder, 'main.go'), program.replace('ROOTS', walks.join('\n\t')));
  const env = { ...process.env, GOFLAGS: '-mod=mod' };
  const text = execFileSync('go', ['run', '.'], {
    cwd: folder,
    env,
    maxBuffer: 1 << 26,
  }).toString();
  const shapes = Object.entries(JSON.parse(text) as Record<string, string[]>);
  const lines = shapes.map(([name, rows]) => `${JSON.stringify(name)}:${JSON.stringify(rows)}`);
  writeFileSync(target, `{\n${lines.join(',\n')}\n}\n`);
  process.stdout.write(`${shapes.length} types\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
