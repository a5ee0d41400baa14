// In place of upstream's in-process API server for integration tests: the same interface, but what is started is
// `strata kube serve` as a process of its own on the test's etcd. tools/run-kube-integration.ts builds tests with it.
package testing

import (
	"bufio"
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	_ "unsafe" // For what a test sets of upstream's server.

	"github.com/spf13/pflag"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/apiserver/pkg/storageversion"
	"k8s.io/apiserver/pkg/util/compatibility"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
	basecompatibility "k8s.io/component-base/compatibility"
	"k8s.io/component-base/featuregate"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	"k8s.io/kubernetes/test/e2e/invariants/metrics"
	"k8s.io/kubernetes/test/utils/ktesting"
)

func init() {
	logsapi.ReapplyHandling = logsapi.ReapplyHandlingIgnoreUnchanged
}

type TearDownFunc func()

type TestServerInstanceOptions struct {
	SkipHealthzCheck       bool
	DisableInvariantChecks bool
	EnableCertAuth         bool
	StorageVersionWrapFunc func(storageversion.Manager) storageversion.Manager
	ProxyCA                *ProxyCA
	BinaryVersion          string
	RequestTimeout         time.Duration
}

type TestServer struct {
	ClientConfig      *restclient.Config
	ServerOpts        *options.ServerRunOptions
	TearDownFn        TearDownFunc
	TmpDir            string
	EtcdClient        *clientv3.Client
	EtcdStoragePrefix string
}

type Logger interface {
	Helper()
	Errorf(format string, args ...interface{})
	Fatalf(format string, args ...interface{})
	Logf(format string, args ...interface{})
	Cleanup(func())
}

type ProxyCA struct {
	ProxySigningCert *x509.Certificate
	ProxySigningKey  *rsa.PrivateKey
}

func NewDefaultTestServerOptions() *TestServerInstanceOptions {
	return &TestServerInstanceOptions{EnableCertAuth: true}
}

// Skipper is what both kinds of tests' handles have.
type Skipper interface {
	Helper()
	Skipf(format string, args ...any)
	Logf(format string, args ...any)
	Name() string
}

func unsupported(t Skipper, what string) {
	t.Helper()
	if os.Getenv("STRATA_TRY_ALL") != "" {
		t.Logf("strata: unsupported %s, tried all the same", what)
		return
	}
	t.Skipf("strata: unsupported %s", what)
}

// Flags that our program has under the same name.
var passed = []string{
	"token-auth-file", "anonymous-auth", "authentication-config", "oidc-issuer-url", "oidc-client-id",
	"oidc-username-claim", "oidc-username-prefix", "oidc-groups-claim", "oidc-groups-prefix", "oidc-required-claim",
	"oidc-signing-algs", "oidc-ca-file", "authentication-token-webhook-config-file",
	"authentication-token-webhook-cache-ttl", "authorization-mode", "authorization-config",
	"authorization-webhook-config-file", "authorization-webhook-cache-authorized-ttl",
	"authorization-webhook-cache-unauthorized-ttl", "enable-admission-plugins", "disable-admission-plugins",
	"admission-control-config-file", "audit-policy-file", "audit-log-path", "audit-log-format", "audit-log-mode", "audit-log-maxsize",
	"audit-log-maxbackup", "audit-log-maxage", "audit-webhook-config-file", "audit-webhook-batch-max-size",
	"audit-webhook-batch-max-wait", "audit-webhook-batch-buffer-size", "encryption-provider-config",
	"client-ca-file", "requestheader-client-ca-file", "requestheader-allowed-names",
	"max-requests-inflight", "max-mutating-requests-inflight", "service-cluster-ip-range",
	"advertise-address", "service-account-issuer", "api-audiences", "service-account-jwks-uri",
	"service-account-max-token-expiration", "service-account-extend-token-expiration", "tls-cipher-suites",
	"tls-min-version", "strict-transport-security-directives", "tls-curve-preferences", "authorization-policy-file",
	"service-account-signing-key-file", "service-account-key-file", "service-account-signing-endpoint", "allow-metric-labels", "allow-metric-labels-manifest",
	"shutdown-delay-duration", "shutdown-send-retry-after", "shutdown-watch-termination-grace-period",
}

// Flags that change nothing a client of our server could see, or that are looked at elsewhere in this file.
var neutral = []string{
	"etcd-count-metric-poll-period", "etcd-db-metric-poll-interval", "etcd-servers", "etcd-prefix", "etcd-cafile", "etcd-certfile", "etcd-keyfile", "storage-media-type", "secure-port",
	"bind-address", "cert-dir", "external-hostname",
	"endpoint-reconciler-type", "watch-cache", "watch-cache-sizes", "runtime-config",
	"feature-gates", "emulated-version", "min-compatibility-version", "emulation-forward-compatible",
	"runtime-config-emulation-forward-compatible", "audit-log-version", "enable-aggregator-routing",
	"enable-garbage-collector", "authorization-webhook-version", "authentication-token-webhook-version", "v", "vmodule",
	"logging-format", "profiling", "contention-profiling", "allow-privileged", "event-ttl", "goaway-chance",
	"watch-progress-notify-interval", "etcd-compaction-interval",
	"encryption-provider-config-automatic-reload", "lease-reuse-duration-seconds", "enable-priority-and-fairness", "default-watch-cache-size",
}

// Gates of upstream's inner workings: clients are answered the same both ways.
var innerGates = setOf([]string{"ListFromCacheSnapshot", "APIServerIdentity"})

func setOf(names []string) map[string]bool {
	set := map[string]bool{}
	for _, name := range names {
		set[name] = true
	}
	return set
}

// Options are those of upstream's server, and what they were before a test changed them.
type Options struct {
	Run    *options.ServerRunOptions
	Flags  *pflag.FlagSet
	gates  featuregate.MutableVersionedFeatureGate
	global basecompatibility.ComponentGlobalsRegistry
	before map[string]string
}

// NewOptions are of one server alone: tests run beside each other.
func NewOptions() (*Options, error) {
	gates := utilfeature.DefaultMutableFeatureGate.DeepCopy()
	version := compatibility.DefaultKubeEffectiveVersionForTest()
	version.SetEmulationVersion(gates.EmulationVersion())
	version.SetMinCompatibilityVersion(gates.MinCompatibilityVersion())
	global := basecompatibility.NewComponentGlobalsRegistry()
	if err := global.Register(basecompatibility.DefaultKubeComponent, version, gates); err != nil {
		return nil, err
	}
	run := options.NewServerRunOptions()
	run.GenericServerRunOptions.ComponentGlobalsRegistry = global
	flags := pflag.NewFlagSet("strata", pflag.ContinueOnError)
	for _, set := range run.Flags().FlagSets {
		flags.AddFlagSet(set)
	}
	before := map[string]string{}
	flags.VisitAll(func(flag *pflag.Flag) { before[flag.Name] = flag.Value.String() })
	return &Options{Run: run, Flags: flags, gates: gates, global: global, before: before}, nil
}

// SkipGates skips tests of gates that are not as they are by default: they are compiled in on our side.
func (o *Options) SkipGates(t Skipper) error {
	t.Helper()
	if o.before["emulated-version"] != o.Flags.Lookup("emulated-version").Value.String() {
		unsupported(t, "--emulated-version="+o.Flags.Lookup("emulated-version").Value.String())
	}
	if err := o.global.Set(); err != nil {
		return err
	}
	var changed []string
	for name, specs := range o.gates.GetAllVersioned() {
		// A test that goes back to an earlier version does so to be let change one of its gates.
		on, own := o.gates.Enabled(name), specs[len(specs)-1].Default
		if on == own || !o.gates.ExplicitlySet(name) || strings.HasPrefix(string(name), "All") || innerGates[string(name)] {
			continue
		}
		changed = append(changed, fmt.Sprintf("%s=%t", name, on))
	}
	sort.Strings(changed)
	if len(changed) > 3 {
		unsupported(t, fmt.Sprintf("--feature-gates of %d gates", len(changed)))
	} else if len(changed) > 0 {
		unsupported(t, "--feature-gates="+strings.Join(changed, ","))
	}
	return nil
}

// Arguments for our program: every flag that has another value now, however it got it.
func (o *Options) arguments(t Skipper) []string {
	t.Helper()
	own, ignored := setOf(passed), setOf(neutral)
	var found []string
	o.Flags.VisitAll(func(flag *pflag.Flag) {
		value := flag.Value.String()
		isStore := strings.HasPrefix(flag.Name, "etcd-") && flag.Name != "etcd-servers-overrides"
		if value == o.before[flag.Name] || ignored[flag.Name] || isStore {
			return
		}
		if !own[flag.Name] {
			unsupported(t, "--"+flag.Name)
			return
		}
		// Each of them may have commas.
		if slice, ok := flag.Value.(pflag.SliceValue); ok && flag.Value.Type() == "stringArray" {
			for _, one := range slice.GetSlice() {
				found = append(found, "--"+flag.Name, one)
			}
			return
		}
		if slice, ok := flag.Value.(pflag.SliceValue); ok {
			value = strings.Join(slice.GetSlice(), ",")
		} else if strings.HasPrefix(value, "[") && strings.HasSuffix(value, "]") {
			value = value[1 : len(value)-1]
		}
		found = append(found, "--"+flag.Name, value)
	})
	// Upstream lets everybody do everything where nothing is said; ours has roles.
	if len(o.Run.Authorization.Modes) == 0 && o.Run.Authorization.AuthorizationConfigurationFile == "" {
		found = append(found, "--authorization-mode", "AlwaysAllow")
	}
	return found
}

// Child is a running server of ours.
type Child struct {
	Config  *restclient.Config
	CAFile  string
	Port    int
	command *exec.Cmd
	leash   io.WriteCloser
	home    string
	ended   chan struct{}
	once    sync.Once
}

type lastLines struct {
	sync.Mutex
	text []byte
	file *os.File
}

func (l *lastLines) Write(piece []byte) (int, error) {
	l.Lock()
	defer l.Unlock()
	if l.file != nil {
		_, _ = l.file.Write(piece)
	}
	l.text = append(l.text, piece...)
	if len(l.text) > 1<<16 {
		l.text = l.text[len(l.text)-1<<15:]
	}
	return len(piece), nil
}

func (l *lastLines) String() string {
	l.Lock()
	defer l.Unlock()
	return string(l.text)
}

const adminToken = "strata-integration-admin"

// withAdmin is the file of tokens, the administrator's beside those of the test.
func withAdmin(arguments []string, home string) ([]string, error) {
	text := fmt.Sprintf("%s,system:apiserver,b5b3a3c2-loopback,\"system:masters\"\n", adminToken)
	file := filepath.Join(home, "tokens.csv")
	var rest []string
	for i := 0; i < len(arguments); i += 2 {
		if arguments[i] != "--token-auth-file" {
			rest = append(rest, arguments[i], arguments[i+1])
			continue
		}
		given, err := os.ReadFile(arguments[i+1])
		if err != nil {
			return nil, err
		}
		text += string(given)
	}
	return append(rest, "--token-auth-file", file), os.WriteFile(file, []byte(text), 0o600)
}

//go:linkname hostname k8s.io/apiserver/pkg/server.hostnameFunc
var hostname func() (string, error)

// hostnameOfTest is the name that a test has told upstream's server that its machine has; empty where it has not.
func hostnameOfTest() string {
	told, err := hostname()
	own, _ := os.Hostname()
	if err != nil || told == own {
		return ""
	}
	return told
}

// commandOn has another name for the machine, in a namespace of its own; that takes root.
func commandOn(host, program string, arguments []string) *exec.Cmd {
	if host == "" {
		return exec.Command(program, arguments...)
	}
	script := `echo "$0" >/proc/sys/kernel/hostname && exec "$@"`
	command := exec.Command("sh", append([]string{"-c", script, host, program}, arguments...)...)
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUTS}
	return command
}

// Start runs `strata kube serve` on an etcd. STRATA_COMMAND is the program and its first arguments, separated by spaces.
func (o *Options) Start(t Skipper, storage *storagebackend.Config, home string) (*Child, error) {
	t.Helper()
	arguments := o.arguments(t)
	arguments, err := withAdmin(arguments, home)
	if err != nil {
		return nil, err
	}
	servers := strings.Join(storage.Transport.ServerList, ",")
	// Our keys begin with /registry behind the prefix, upstream's prefix has it at its end.
	query := url.Values{"prefix": {strings.TrimSuffix(path.Join("/", storage.Prefix), "/registry")}}
	for name, file := range map[string]string{
		"cafile": storage.Transport.TrustedCAFile, "certfile": storage.Transport.CertFile, "keyfile": storage.Transport.KeyFile,
	} {
		if file != "" {
			query.Set(name, file)
		}
	}
	program := strings.Fields(os.Getenv("STRATA_COMMAND"))
	if len(program) == 0 {
		return nil, fmt.Errorf("STRATA_COMMAND is not set")
	}
	line := append(program[1:], "kube", "serve", "test", "--home", home, "--port", "0", "--components", "apiserver",
		"--supervised", "--store", "etcd:"+servers+"?"+query.Encode())
	command := commandOn(hostnameOfTest(), program[0], append(line, arguments...))
	said := &lastLines{}
	if folder := os.Getenv("STRATA_LOG_FOLDER"); folder != "" {
		name := strings.NewReplacer("/", "_", " ", "_").Replace(t.Name())
		if len(name) > 120 {
			name = name[:120]
		}
		said.file, _ = os.CreateTemp(folder, name+"-*.log")
	}
	command.Stderr = said
	// Its end is not the business of whoever interrupts the test by its terminal.
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{Setpgid: false}
	}
	leash, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	child := &Child{command: command, leash: leash, home: home, ended: make(chan struct{})}
	ready := make(chan string, 1)
	go func() {
		defer close(child.ended)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var line struct {
				URL string `json:"url"`
			}
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.URL != "" {
				ready <- line.URL
			}
		}
		_ = command.Wait()
		if said.file != nil {
			_ = said.file.Close()
		}
	}()
	select {
	case address := <-ready:
		return child, child.configure(address)
	case <-child.ended:
		return nil, fmt.Errorf("strata ended: %s", said.String())
	case <-time.After(2 * time.Minute):
		child.Stop()
		return nil, fmt.Errorf("strata is not ready: %s", said.String())
	}
}

func (c *Child) configure(address string) error {
	parsed, err := url.Parse(address)
	if err != nil {
		return err
	}
	if c.Port, err = strconv.Atoi(parsed.Port()); err != nil {
		return err
	}
	c.CAFile = filepath.Join(c.home, "kube", "test", "pki", "ca.crt")
	ca, err := os.ReadFile(c.CAFile)
	if err != nil {
		return err
	}
	c.Config = &restclient.Config{
		Host:            address,
		BearerToken:     adminToken,
		QPS:             1000,
		Burst:           10000,
		TLSClientConfig: restclient.TLSClientConfig{CAData: ca},
	}
	return nil
}

// ClientAuthority signs certificates of clients that the server lets in.
func (c *Child) ClientAuthority() (cert, key string) {
	return c.CAFile, strings.TrimSuffix(c.CAFile, ".crt") + ".key"
}

// Stop ends the server and waits until it is gone.
func (c *Child) Stop() {
	c.once.Do(func() {
		_ = c.leash.Close()
		_ = c.command.Process.Signal(syscall.SIGTERM)
		select {
		case <-c.ended:
		case <-time.After(20 * time.Second):
			_ = c.command.Process.Kill()
			<-c.ended
		}
	})
}

// SkipVersions skips when versions of APIs are asked for that our server has not, or are to go that it has always.
func (c *Child) SkipVersions(t Skipper, wanted map[string]string) error {
	t.Helper()
	client, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		return err
	}
	for name, value := range wanted {
		isOff := strings.EqualFold(value, "false")
		if strings.HasPrefix(name, "api/") {
			if isOff {
				unsupported(t, "--runtime-config="+name+"="+value)
			}
			continue
		}
		parts := strings.Split(name, "/")
		if len(parts) > 2 {
			name = strings.Join(parts[:2], "/")
		}
		_, err := client.Discovery().ServerResourcesForGroupVersion(name)
		if (err == nil) == isOff {
			unsupported(t, "--runtime-config="+name+"="+value)
		}
	}
	return nil
}

// WaitUsable waits until what every cluster has from its start is there.
func (c *Child) WaitUsable(namespaces ...string) error {
	client, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		return err
	}
	return wait.PollUntilContextTimeout(context.Background(), 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		for _, name := range namespaces {
			if _, err := client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{}); err != nil {
				return false, nil
			}
		}
		status := 0
		client.CoreV1().RESTClient().Get().AbsPath("/healthz").Do(ctx).StatusCode(&status)
		return status == 200, nil
	})
}

func StartTestServer(t ktesting.TB, instanceOptions *TestServerInstanceOptions, customFlags []string, storageConfig *storagebackend.Config) (result TestServer, err error) {
	t.Helper()
	if instanceOptions == nil {
		instanceOptions = NewDefaultTestServerOptions()
	}
	if instanceOptions.StorageVersionWrapFunc != nil {
		unsupported(t, "StorageVersionWrapFunc")
	}
	if instanceOptions.BinaryVersion != "" {
		unsupported(t, "BinaryVersion")
	}
	if instanceOptions.ProxyCA != nil {
		unsupported(t, "ProxyCA")
	}
	if instanceOptions.RequestTimeout > 0 {
		unsupported(t, "RequestTimeout")
	}
	opts, err := NewOptions()
	if err != nil {
		return result, err
	}
	opts.Run.ServiceClusterIPRanges = "10.0.0.0/16"
	opts.Run.Etcd.StorageConfig = *storageConfig
	if err := opts.Flags.Parse(customFlags); err != nil {
		return result, err
	}
	if err := opts.SkipGates(t); err != nil {
		return result, err
	}
	if result.TmpDir, err = os.MkdirTemp("", "strata-integration"); err != nil {
		return result, err
	}
	var child *Child
	tearDown := func() {
		if child != nil {
			child.Stop()
		}
		_ = os.RemoveAll(result.TmpDir)
	}
	// Also when it skips: that is no return.
	defer func() {
		if result.TearDownFn == nil {
			tearDown()
		}
	}()
	if child, err = opts.Start(t, storageConfig, result.TmpDir); err != nil {
		return result, err
	}
	if err := child.SkipVersions(t, opts.Run.APIEnablement.RuntimeConfig); err != nil {
		return result, err
	}
	if err := child.WaitUsable("default"); err != nil && !instanceOptions.SkipHealthzCheck {
		return result, fmt.Errorf("failed to wait for /healthz to return ok: %w", err)
	}
	client, err := kubernetes.NewForConfig(child.Config)
	if err != nil {
		return result, err
	}
	etcd, _, err := GetEtcdClients(storageConfig.Transport)
	if err != nil {
		return result, err
	}
	secure := opts.Run.SecureServing
	secure.BindPort = child.Port
	secure.ServerCert.CertDirectory = result.TmpDir
	secure.ServerCert.CertKey.CertFile = child.CAFile
	opts.Run.Authentication.ClientCert.ClientCA = child.CAFile
	result.ClientConfig = restclient.CopyConfig(child.Config)
	result.ServerOpts = opts.Run
	result.EtcdClient = etcd
	result.EtcdStoragePrefix = storageConfig.Prefix
	result.TearDownFn = func() {
		defer tearDown()
		defer func() { _ = etcd.Close() }()
		if instanceOptions.DisableInvariantChecks {
			return
		}
		if err := metrics.CheckMetricInvariants(context.Background(), client, false); err != nil {
			t.Errorf("Invariant check failed: %v", err)
		}
	}
	return result, nil
}

func GetEtcdClients(config storagebackend.TransportConfig) (*clientv3.Client, clientv3.KV, error) {
	var secured *tls.Config
	if config.CertFile != "" || config.KeyFile != "" || config.TrustedCAFile != "" {
		files := transport.TLSInfo{CertFile: config.CertFile, KeyFile: config.KeyFile, TrustedCAFile: config.TrustedCAFile}
		var err error
		if secured, err = files.ClientConfig(); err != nil {
			return nil, nil, err
		}
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: config.ServerList, DialTimeout: 20 * time.Second, TLS: secured})
	if err != nil {
		return nil, nil, err
	}
	return client, clientv3.NewKV(client), nil
}

func StartTestServerOrDie(t testing.TB, instanceOptions *TestServerInstanceOptions, flags []string, storageConfig *storagebackend.Config) *TestServer {
	t.Helper()
	result, err := StartTestServer(t, instanceOptions, flags, storageConfig)
	if err != nil {
		t.Fatalf("failed to launch server: %v", err)
	}
	return &result
}

// PEM of one certificate.
func PEM(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}
