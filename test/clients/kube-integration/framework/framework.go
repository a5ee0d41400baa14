// In place of upstream's in-process API server of the integration tests' framework: see ../testserver.
package framework

import (
	"context"
	"os"
	"path"
	"reflect"
	"slices"
	"testing"

	"github.com/google/uuid"

	"k8s.io/apiserver/pkg/admission"
	genericapiserver "k8s.io/apiserver/pkg/server"
	client "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	kubeapiservertesting "k8s.io/kubernetes/cmd/kube-apiserver/app/testing"

	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	"k8s.io/kubernetes/pkg/controlplane"
	controlplaneapiserver "k8s.io/kubernetes/pkg/controlplane/apiserver"
	"k8s.io/kubernetes/pkg/controlplane/reconcilers"
	kubeoptions "k8s.io/kubernetes/pkg/kubeapiserver/options"
	"k8s.io/kubernetes/plugin/pkg/admission/defaulttolerationseconds"
	"k8s.io/kubernetes/plugin/pkg/admission/podtolerationrestriction"
	"k8s.io/kubernetes/plugin/pkg/admission/priority"
	"k8s.io/kubernetes/test/e2e/invariants/metrics"
)

type TestServerSetup struct {
	ModifyServerRunOptions func(*options.ServerRunOptions)
	ModifyServerConfig     func(*controlplane.Config)
	DisableInvariantChecks bool
}

type TearDownFunc func()

// emptyConfig is for a test to change; nothing but what wantsMore looks at can be changed in a process of its own.
func emptyConfig() *controlplane.Config {
	return &controlplane.Config{ControlPlane: controlplaneapiserver.Config{Generic: &genericapiserver.Config{}}}
}

// pluginsOf are the names of plugins that a test has made itself, if our server has them.
func pluginsOf(handler admission.Interface) (names []string, isOurs bool) {
	switch handler.(type) {
	case nil:
		return nil, true
	case *defaulttolerationseconds.Plugin:
		return []string{defaulttolerationseconds.PluginName}, true
	case *podtolerationrestriction.Plugin:
		return []string{podtolerationrestriction.PluginName}, true
	case *priority.Plugin:
		return []string{priority.PluginName}, true
	}
	all := reflect.ValueOf(handler)
	if all.Kind() != reflect.Slice {
		return nil, false
	}
	for i := 0; i < all.Len(); i++ {
		one, _ := all.Index(i).Interface().(admission.Interface)
		more, isOurs := pluginsOf(one)
		if !isOurs {
			return nil, false
		}
		names = append(names, more...)
	}
	return names, true
}

func wantsMore(config *controlplane.Config) string {
	config.Extra.EndpointReconcilerType = reconcilers.Type("")
	generic := config.ControlPlane.Generic
	// What is repaired is repaired by what happens, and whoever wants a profile asks the process.
	config.Extra.RepairServicesInterval, generic.EnableProfiling = 0, false
	if _, isOurs := pluginsOf(generic.AdmissionControl); isOurs {
		generic.AdmissionControl = nil
	}
	switch {
	case generic.Authorization.Authorizer != nil:
		return "ModifyServerConfig: authorizer"
	case generic.OpenAPIConfig != nil || generic.OpenAPIV3Config != nil:
		return "ModifyServerConfig: OpenAPIConfig"
	}
	config.ControlPlane.Extra.APIResourceConfigSource = nil
	if !reflect.DeepEqual(config, emptyConfig()) {
		return "ModifyServerConfig"
	}
	return ""
}

// StartTestServer runs a server of ours with what a test's setup makes of upstream's options.
func StartTestServer(ctx context.Context, t testing.TB, setup TestServerSetup) (client.Interface, *rest.Config, TearDownFunc) {
	t.Helper()
	var plugins []string
	if setup.ModifyServerConfig != nil {
		config := emptyConfig()
		setup.ModifyServerConfig(config)
		plugins, _ = pluginsOf(config.ControlPlane.Generic.AdmissionControl)
		if what := wantsMore(config); what != "" {
			t.Skipf("strata: unsupported %s", what)
		}
	}
	opts, err := kubeapiservertesting.NewOptions()
	if err != nil {
		t.Fatal(err)
	}
	home, err := os.MkdirTemp("", "strata-integration")
	if err != nil {
		t.Fatal(err)
	}
	isStarted := false
	defer func() {
		if !isStarted {
			_ = os.RemoveAll(home)
		}
	}()
	run := opts.Run
	run.SecureServing.ServerCert.CertDirectory = home
	run.Etcd.StorageConfig.Prefix = path.Join("/", uuid.New().String(), "registry")
	run.Etcd.StorageConfig.Transport.ServerList = []string{GetEtcdURL()}
	run.ServiceClusterIPRanges = "10.0.0.0/24"
	run.Authorization.Modes = []string{"Node", "RBAC"}
	if setup.ModifyServerRunOptions != nil {
		setup.ModifyServerRunOptions(run)
	}
	generic := run.Admission.GenericAdmission
	generic.EnablePlugins = append(generic.EnablePlugins, plugins...)
	if len(plugins) > 0 {
		// There are no others then.
		generic.DisablePlugins = slices.DeleteFunc(slices.Clone(kubeoptions.AllOrderedPlugins), func(name string) bool {
			return slices.Contains(plugins, name)
		})
	}
	if err := opts.SkipGates(t); err != nil {
		t.Fatal(err)
	}
	child, err := opts.Start(t, &run.Etcd.StorageConfig, home)
	if err != nil {
		t.Fatal(err)
	}
	isStarted = true
	stop := func() {
		child.Stop()
		_ = os.RemoveAll(home)
	}
	t.Cleanup(stop)
	if err := child.SkipVersions(t, run.APIEnablement.RuntimeConfig); err != nil {
		t.Fatal(err)
	}
	if err := child.WaitUsable("default", "kube-system"); err != nil {
		t.Fatal(err)
	}
	config := rest.CopyConfig(child.Config)
	config.CAFile, config.CAData = child.CAFile, nil
	config.QPS = -1
	set, err := client.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return set, config, func() {
		if !setup.DisableInvariantChecks && ctx.Err() == nil {
			if err := metrics.CheckMetricInvariants(ctx, set, false); err != nil {
				t.Errorf("Invariant check failed: %v", err)
			}
		}
		stop()
	}
}
