// In place of upstream's in-process API server of the tests of what lies where in etcd: see ../testserver. Upstream's
// own function is called startInProcess in the copy that tools/run-kube-integration.ts makes.
package etcd

import (
	"context"
	"os"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	apiextensionsclientset "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	"k8s.io/apimachinery/pkg/runtime"
	cacheddiscovery "k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	clientset "k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	kubeapiservertesting "k8s.io/kubernetes/cmd/kube-apiserver/app/testing"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	"k8s.io/kubernetes/test/integration"
	"k8s.io/kubernetes/test/integration/framework"
)

var _ = startInProcess

// StartRealAPIServerOrDie starts a server of ours with one of every custom resource of the tests.
func StartRealAPIServerOrDie(t *testing.T, configFuncs ...func(*options.ServerRunOptions)) *APIServer {
	t.Helper()
	opts, err := kubeapiservertesting.NewOptions()
	if err != nil {
		t.Fatal(err)
	}
	run := opts.Run
	run.Etcd.StorageConfig.Transport.ServerList = []string{framework.GetEtcdURL()}
	run.Etcd.DefaultStorageMediaType = runtime.ContentTypeJSON
	run.ServiceClusterIPRanges = "10.0.0.0/24"
	run.Authentication.APIAudiences = []string{"https://foo.bar.example.com"}
	run.Authentication.ServiceAccounts.Issuers = []string{"https://foo.bar.example.com"}
	run.Authorization.Modes = []string{"RBAC"}
	run.Admission.GenericAdmission.DisablePlugins = []string{"ServiceAccount"}
	for _, change := range configFuncs {
		change(run)
	}
	if err := opts.SkipGates(t); err != nil {
		t.Fatal(err)
	}
	raw, kv, err := integration.GetEtcdClients(run.Etcd.StorageConfig.Transport)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Delete(context.Background(), "/registry/", clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	home, err := os.MkdirTemp("", "strata-integration")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	child, err := opts.Start(t, &run.Etcd.StorageConfig, home)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(child.Stop)
	if err := child.WaitUsable("default", "kube-system"); err != nil {
		t.Fatal(err)
	}
	config := restclient.CopyConfig(child.Config)
	config.QPS, config.Burst = 99999, 9999
	restclient.SetDefaultWarningHandler(restclient.NoWarnings{})
	client := clientset.NewForConfigOrDie(config)
	CreateTestCRDs(t, apiextensionsclientset.NewForConfigOrDie(config), false, GetCustomResourceDefinitionData()...)
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(cacheddiscovery.NewMemCacheClient(client.Discovery()))
	mapper.Reset()
	_, served, err := client.Discovery().ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	return &APIServer{
		Client:    client,
		Dynamic:   dynamic.NewForConfigOrDie(config),
		Config:    config,
		KV:        kv,
		Mapper:    mapper,
		Resources: GetResources(t, served),
		Cleanup: func() {
			child.Stop()
			_ = raw.Close()
		},
	}
}
