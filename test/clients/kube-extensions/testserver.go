// Package testing stands in the place of k8s.io/apiextensions-apiserver/pkg/cmd/server/testing when upstream's
// integration tests are run against Strata (tools/run-kube-integration.ts --suite extensions): it has the same exported names, and starts
// `strata kube serve` as a child on the test's etcd where upstream's starts its own server in the process.
// STRATA_COMMAND is the program with its first arguments, STRATA_LOGS a folder for its output (optional).
package testing

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	extensionsapiserver "k8s.io/apiextensions-apiserver/pkg/apiserver"
	"k8s.io/apiextensions-apiserver/pkg/cmd/server/options"
	generatedopenapi "k8s.io/apiextensions-apiserver/pkg/generated/openapi"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	"k8s.io/apiserver/pkg/features"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/apiserver/pkg/util/compatibility"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/apiserver/pkg/util/openapi"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// TearDownFunc is to be called to tear down a test server.
type TearDownFunc func()

// TestServerInstanceOptions are the same as upstream's.
type TestServerInstanceOptions struct {
}

// TestServer is what tests get of a server.
type TestServer struct {
	ClientConfig    *restclient.Config
	ServerOpts      *options.CustomResourceDefinitionsServerOptions
	TearDownFn      TearDownFunc
	TmpDir          string
	CompletedConfig extensionsapiserver.CompletedConfig
}

// Logger allows t.Testing and b.Testing to be passed to StartTestServer and StartTestServerOrDie.
type Logger interface {
	Errorf(format string, args ...interface{})
	Fatalf(format string, args ...interface{})
	Logf(format string, args ...interface{})
}

// NewDefaultTestServerOptions gives the options of a server.
func NewDefaultTestServerOptions() *TestServerInstanceOptions {
	return &TestServerInstanceOptions{}
}

const (
	startTimeout = time.Minute
	stopTimeout  = 20 * time.Second
)

// Gates are upstream's own and hold in its process: a test that switches one asks for a server that is not there.
func skipForGates(t Logger, flags []string) {
	tb, ok := t.(testing.TB)
	if !ok {
		return
	}
	if utilfeature.DefaultFeatureGate.Enabled(features.CBORServingAndStorage) {
		tb.Skip("strata: unsupported gate CBORServingAndStorage (alpha)")
	}
	binary := compatibility.DefaultKubeEffectiveVersionForTest().BinaryVersion()
	if emulated := utilfeature.DefaultMutableFeatureGate.EmulationVersion(); !emulated.EqualTo(binary) {
		tb.Skipf("strata: unsupported emulated version %s", emulated)
	}
	prefixes := 0
	for _, flag := range flags {
		if flag == "--etcd-prefix" {
			prefixes++
		}
		if strings.HasPrefix(flag, "--feature-gates") || strings.HasPrefix(flag, "--emulated-version") {
			tb.Skipf("strata: unsupported flag %s", flag)
		}
	}
	// The fixture gives one already; a test that gives another goes on with CBOR on the same objects.
	if prefixes > 1 {
		tb.Skip("strata: unsupported objects in CBOR in the store")
	}
}

func parse(flags []string, dir string, storage *storagebackend.Config) (*options.CustomResourceDefinitionsServerOptions, error) {
	s := options.NewCustomResourceDefinitionsServerOptions(os.Stdout, os.Stderr)
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	s.AddFlags(fs)
	s.RecommendedOptions.SecureServing.ServerCert.CertDirectory = dir
	if storage != nil {
		s.RecommendedOptions.Etcd.StorageConfig = *storage
	}
	if err := fs.Parse(flags); err != nil {
		return nil, err
	}
	return s, s.Complete()
}

// Strata puts its prefix before "/registry", upstream's is in the place of it.
const registry = "registry"

func storeOf(s *options.CustomResourceDefinitionsServerOptions) string {
	etcd := &s.RecommendedOptions.Etcd.StorageConfig
	prefix := strings.TrimSuffix(etcd.Prefix, "/"+registry)
	etcd.Prefix = path.Join(prefix, registry)
	return fmt.Sprintf("etcd:%s?prefix=%s", strings.Join(etcd.Transport.ServerList, ","), path.Join("/", prefix))
}

func commandOf(s *options.CustomResourceDefinitionsServerOptions, dir string) (*exec.Cmd, error) {
	words := strings.Fields(os.Getenv("STRATA_COMMAND"))
	if len(words) == 0 {
		return nil, fmt.Errorf("STRATA_COMMAND names no program")
	}
	args := append(words[1:], "kube", "serve", "test", "--supervised", "--components", "apiserver",
		"--home", dir, "--host", "127.0.0.1", "--port", "0", "--store", storeOf(s))
	if off := s.RecommendedOptions.Admission.DisablePlugins; len(off) > 0 {
		args = append(args, "--disable-admission-plugins", strings.Join(off, ","))
	}
	if file := s.RecommendedOptions.Etcd.EncryptionProviderConfigFilepath; file != "" {
		args = append(args, "--encryption-provider-config", file)
	}
	return exec.Command(words[0], args...), nil
}

func logOf(t Logger) (io.WriteCloser, error) {
	dir := os.Getenv("STRATA_LOGS")
	if dir == "" {
		return nil, nil
	}
	name := "server"
	if tb, ok := t.(testing.TB); ok {
		name = strings.ReplaceAll(tb.Name(), "/", "_")
	}
	return os.OpenFile(filepath.Join(dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
}

// Resolves when it says that it is ready; what it says afterwards is read and dropped.
func waitReady(out io.Reader, exited <-chan error) error {
	ready := make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(out)
		said := ""
		for lines.Scan() {
			said += lines.Text() + "\n"
			var line struct{ Ready bool }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Ready {
				ready <- nil
				_, _ = io.Copy(io.Discard, out)
				return
			}
		}
		ready <- fmt.Errorf("it ended before it was ready: %s", said)
	}()
	select {
	case err := <-ready:
		return err
	case err := <-exited:
		return fmt.Errorf("it ended: %v", err)
	case <-time.After(startTimeout):
		return fmt.Errorf("it is not ready after %v", startTimeout)
	}
}

// StartTestServer starts the program; the caller is to call TearDownFn.
func StartTestServer(t Logger, _ *TestServerInstanceOptions, customFlags []string, storageConfig *storagebackend.Config) (result TestServer, err error) {
	skipForGates(t, customFlags)
	result.TmpDir, err = os.MkdirTemp("", "strata-extensions")
	if err != nil {
		return result, err
	}
	stop := func() {}
	defer func() {
		if err != nil {
			stop()
			_ = os.RemoveAll(result.TmpDir)
		}
	}()
	s, err := parse(customFlags, result.TmpDir, storageConfig)
	if err != nil {
		return result, err
	}
	command, err := commandOf(s, result.TmpDir)
	if err != nil {
		return result, err
	}
	log, err := logOf(t)
	if err != nil {
		return result, err
	}
	if log != nil {
		command.Stderr = log
	}
	leash, err := command.StdinPipe()
	if err != nil {
		return result, err
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return result, err
	}
	if err = command.Start(); err != nil {
		return result, err
	}
	exited := make(chan error, 1)
	stop = func() {
		_ = leash.Close()
		select {
		case <-exited:
		case <-time.After(stopTimeout):
			t.Logf("the server did not end within %v", stopTimeout)
			_ = command.Process.Kill()
		}
		if log != nil {
			_ = log.Close()
		}
		_ = os.RemoveAll(result.TmpDir)
	}
	ended := make(chan error, 1)
	go func() {
		_, waitErr := command.Process.Wait()
		ended <- waitErr
		exited <- waitErr
	}()
	if err = waitReady(out, ended); err != nil {
		return result, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(result.TmpDir, "kube", "test", "kubeconfig"))
	if err != nil {
		return result, err
	}
	// As the in-process client of upstream's server.
	config.QPS, config.Burst = -1, -1
	result.ClientConfig = config
	result.ServerOpts = s
	result.CompletedConfig, err = completedConfig(s)
	result.TearDownFn = stop
	return result, err
}

// Tests read from it where and how objects lie in etcd; nothing is started with it.
func completedConfig(s *options.CustomResourceDefinitionsServerOptions) (extensionsapiserver.CompletedConfig, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return extensionsapiserver.CompletedConfig{}, err
	}
	defer listener.Close()
	serving := s.RecommendedOptions.SecureServing
	serving.Listener, serving.BindPort = listener, listener.Addr().(*net.TCPAddr).Port
	config, err := s.Config()
	if err != nil {
		return extensionsapiserver.CompletedConfig{}, err
	}
	definitions := openapi.GetOpenAPIDefinitionsWithoutDisabledFeatures(generatedopenapi.GetOpenAPIDefinitions)
	namer := openapinamer.NewDefinitionNamer(extensionsapiserver.Scheme)
	config.GenericConfig.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(definitions, namer)
	return config.Complete(), nil
}

// StartTestServerOrDie ends the test when the server does not start.
func StartTestServerOrDie(t Logger, instanceOptions *TestServerInstanceOptions, flags []string, storageConfig *storagebackend.Config) *TestServer {
	result, err := StartTestServer(t, instanceOptions, flags, storageConfig)
	if err == nil {
		return &result
	}
	t.Fatalf("failed to launch server: %v", err)
	return nil
}
