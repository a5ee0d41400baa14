// Loops of client-go against an API server under churn, and an account of what they missed: shared
// informers, a work queue's controllers, leader election. Prints one JSON object; its exit status is 1
// when anything was missed, repeated, out of order or held twice.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/util/workqueue"
)

const namespace = "client-go"

var (
	kubeconfig = flag.String("kubeconfig", "", "of the API server")
	seconds    = flag.Int("seconds", 20, "of churn")
	writers    = flag.Int("writers", 4, "goroutines that write")
	watchers   = flag.Int("informers", 4, "half of them in protobuf")
	settle     = flag.Duration("settle", 60*time.Second, "for everybody to catch up at the end")
)

func check(err error, what string) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "client-go: %s: %v\n", what, err)
		os.Exit(2)
	}
}

func clientFor(contentType string) *kubernetes.Clientset {
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	check(err, "kubeconfig")
	config.QPS, config.Burst = 5000, 5000
	config.ContentType = contentType
	if contentType != "application/json" {
		config.AcceptContentTypes = contentType + ",application/json"
	}
	client, err := kubernetes.NewForConfig(config)
	check(err, "client")
	return client
}

// seen is one change of one object, as whoever made it or was told of it has it.
type seen struct {
	kind    string
	version string
}

// ledger holds what happened to each object, in order.
type ledger struct {
	lock   sync.Mutex
	byUID  map[types.UID][]seen
	events int
}

func newLedger() *ledger { return &ledger{byUID: map[types.UID][]seen{}} }

func (l *ledger) note(uid types.UID, kind, version string) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.byUID[uid] = append(l.byUID[uid], seen{kind, version})
	l.events++
}

func (l *ledger) count() int {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.events
}

// differences counts objects whose story was told otherwise than it happened.
func (l *ledger) differences(told *ledger) (wrong int, example string) {
	for uid, happened := range l.byUID {
		heard := told.byUID[uid]
		if len(happened) == len(heard) {
			same := true
			for i := range happened {
				// A deletion is told with the version of the deletion or of the last state.
				same = same && happened[i].kind == heard[i].kind &&
					(happened[i].kind == "delete" || happened[i].version == heard[i].version)
			}
			if same {
				continue
			}
		}
		wrong++
		example = fmt.Sprintf("%s happened %v, told %v", uid, happened, heard)
	}
	for uid := range told.byUID {
		if _, known := l.byUID[uid]; !known {
			wrong++
			example = fmt.Sprintf("%s was told and never happened", uid)
		}
	}
	return wrong, example
}

// churn creates, changes and deletes objects of its own until the time is over; all are left that
// `keeps` says.
func churn(ctx context.Context, client kubernetes.Interface, writer int, truth *ledger) {
	maps := client.CoreV1().ConfigMaps(namespace)
	random := rand.New(rand.NewSource(int64(writer)))
	for round := 0; ctx.Err() == nil; round++ {
		name := fmt.Sprintf("w%d-%d", writer, round)
		object := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"role": "parent"}},
			Data:       map[string]string{"n": "0"},
		}
		current, err := maps.Create(context.Background(), object, metav1.CreateOptions{})
		check(err, "create")
		truth.note(current.UID, "add", current.ResourceVersion)
		for n := 1; n <= 1+random.Intn(8); n++ {
			current.Data["n"] = strconv.Itoa(n)
			if random.Intn(2) == 0 {
				current, err = maps.Update(context.Background(), current, metav1.UpdateOptions{})
			} else {
				patch := []byte(fmt.Sprintf(`{"data":{"n":"%d"}}`, n))
				current, err = maps.Patch(context.Background(), name, types.MergePatchType, patch, metav1.PatchOptions{})
			}
			check(err, "change")
			truth.note(current.UID, "update", current.ResourceVersion)
		}
		if random.Intn(5) == 0 {
			continue
		}
		check(maps.Delete(context.Background(), name, metav1.DeleteOptions{}), "delete")
		truth.note(current.UID, "delete", "")
	}
}

func follow(ctx context.Context, client kubernetes.Interface) (*ledger, cache.SharedIndexInformer) {
	told := newLedger()
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace))
	informer := factory.Core().V1().ConfigMaps().Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(o any) {
			one := o.(*corev1.ConfigMap)
			if one.Labels["role"] == "parent" {
				told.note(one.UID, "add", one.ResourceVersion)
			}
		},
		UpdateFunc: func(_, o any) {
			one := o.(*corev1.ConfigMap)
			if one.Labels["role"] == "parent" {
				told.note(one.UID, "update", one.ResourceVersion)
			}
		},
		DeleteFunc: func(o any) {
			if gone, isUnknown := o.(cache.DeletedFinalStateUnknown); isUnknown {
				told.note(gone.Obj.(*corev1.ConfigMap).UID, "delete unseen", "")
				return
			}
			one := o.(*corev1.ConfigMap)
			if one.Labels["role"] == "parent" {
				told.note(one.UID, "delete", "")
			}
		},
	})
	check(err, "handler")
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		check(ctx.Err(), "sync")
	}
	return told, informer
}

// control keeps one Secret beside each parent, of the same name and content, as controllers do.
func control(ctx context.Context, client kubernetes.Interface, done *atomic.Int64) {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace))
	maps, secrets := factory.Core().V1().ConfigMaps(), factory.Core().V1().Secrets()
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]())
	enqueue := func(o any) {
		key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(o)
		check(err, "key")
		queue.Add(key)
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc: enqueue, UpdateFunc: func(_, o any) { enqueue(o) }, DeleteFunc: enqueue,
	}
	for _, informer := range []cache.SharedIndexInformer{maps.Informer(), secrets.Informer()} {
		_, err := informer.AddEventHandler(handler)
		check(err, "handler")
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	sync := func(key string) error {
		_, name, _ := cache.SplitMetaNamespaceKey(key)
		api := client.CoreV1().Secrets(namespace)
		parent, err := maps.Lister().ConfigMaps(namespace).Get(name)
		if err == nil && parent.Labels["role"] != "parent" {
			return nil
		}
		child, childErr := secrets.Lister().Secrets(namespace).Get(name)
		if apierrors.IsNotFound(err) {
			if childErr != nil {
				return nil
			}
			err = api.Delete(context.Background(), name, metav1.DeleteOptions{})
			if apierrors.IsNotFound(err) {
				return nil
			}
			return err
		}
		want := map[string][]byte{"n": []byte(parent.Data["n"])}
		if childErr != nil {
			meta := metav1.ObjectMeta{Name: name}
			_, err = api.Create(context.Background(), &corev1.Secret{ObjectMeta: meta, Data: want}, metav1.CreateOptions{})
			return err
		}
		if string(child.Data["n"]) == parent.Data["n"] {
			return nil
		}
		next := child.DeepCopy()
		next.Data = want
		_, err = api.Update(context.Background(), next, metav1.UpdateOptions{})
		return err
	}
	work := func() {
		for {
			key, isShut := queue.Get()
			if isShut {
				return
			}
			if err := sync(key); err != nil {
				// Two of them do the same: conflicts and what exists already are to be expected.
				queue.AddRateLimited(key)
			} else {
				queue.Forget(key)
				done.Add(1)
			}
			queue.Done(key)
		}
	}
	for range 2 {
		go work()
	}
	<-ctx.Done()
	queue.ShutDown()
}

type term struct{ from, until time.Time }

// lead takes part in an election until the end, giving way now and then, once without a word.
func lead(ctx context.Context, client kubernetes.Interface, candidate int, note func(term)) {
	random := rand.New(rand.NewSource(int64(100 + candidate)))
	for ctx.Err() == nil {
		stay := time.Duration(500+random.Intn(2000)) * time.Millisecond
		own, stop := context.WithCancel(ctx)
		lock := &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Name: "leader", Namespace: namespace},
			Client:     client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: fmt.Sprintf("candidate-%d", candidate)},
		}
		leaderelection.RunOrDie(own, leaderelection.LeaderElectionConfig{
			Lock:            lock,
			LeaseDuration:   3 * time.Second,
			RenewDeadline:   2 * time.Second,
			RetryPeriod:     300 * time.Millisecond,
			ReleaseOnCancel: random.Intn(4) != 0,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(leading context.Context) {
					from := time.Now()
					timer := time.AfterFunc(stay, stop)
					<-leading.Done()
					timer.Stop()
					note(term{from, time.Now()})
				},
				OnStoppedLeading: func() {},
			},
		})
		stop()
	}
}

func main() {
	flag.Parse()
	admin := clientFor("application/json")
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	_, err := admin.CoreV1().Namespaces().Create(context.Background(), space, metav1.CreateOptions{})
	check(err, "namespace")
	everything, stopEverything := context.WithCancel(context.Background())
	defer stopEverything()

	truth := newLedger()
	told := make([]*ledger, *watchers)
	for i := range told {
		contentType := "application/json"
		if i%2 == 1 {
			contentType = "application/vnd.kubernetes.protobuf"
		}
		told[i], _ = follow(everything, clientFor(contentType))
	}
	var synced atomic.Int64
	for range 2 {
		go control(everything, clientFor("application/vnd.kubernetes.protobuf"), &synced)
	}
	var terms []term
	var termLock sync.Mutex
	churning, stopChurn := context.WithTimeout(context.Background(), time.Duration(*seconds)*time.Second)
	defer stopChurn()
	var group sync.WaitGroup
	for i := range 3 {
		group.Go(func() {
			lead(churning, clientFor("application/json"), i, func(one term) {
				termLock.Lock()
				defer termLock.Unlock()
				terms = append(terms, one)
			})
		})
	}
	for i := range *writers {
		group.Go(func() { churn(churning, clientFor("application/json"), i, truth) })
	}
	group.Wait()

	// Everybody catches up.
	wrongChildren := func() int {
		parents, err := admin.CoreV1().ConfigMaps(namespace).List(context.Background(), metav1.ListOptions{LabelSelector: "role=parent"})
		check(err, "list")
		children, err := admin.CoreV1().Secrets(namespace).List(context.Background(), metav1.ListOptions{})
		check(err, "list")
		want := map[string]string{}
		for _, one := range parents.Items {
			want[one.Name] = one.Data["n"]
		}
		wrong := 0
		for _, one := range children.Items {
			if n, known := want[one.Name]; !known || n != string(one.Data["n"]) {
				wrong++
			}
			delete(want, one.Name)
		}
		return wrong + len(want)
	}
	hasCaughtUp := func(context.Context) (bool, error) {
		for _, one := range told {
			if one.count() < truth.count() {
				return false, nil
			}
		}
		return wrongChildren() == 0, nil
	}
	_ = wait.PollUntilContextTimeout(context.Background(), 100*time.Millisecond, *settle, true, hasCaughtUp)

	isGood := true
	var perInformer []map[string]any
	for _, one := range told {
		one.lock.Lock()
		wrong, example := truth.differences(one)
		result := map[string]any{"events": one.events, "objects_told_wrong": wrong}
		if wrong > 0 {
			isGood = false
			result["example"] = example
		}
		perInformer = append(perInformer, result)
		one.lock.Unlock()
	}
	overlaps := 0
	for i, a := range terms {
		for _, b := range terms[i+1:] {
			// Whoever gives way is told a moment later than the next may begin.
			if a.from.Add(200*time.Millisecond).Before(b.until) && b.from.Add(200*time.Millisecond).Before(a.until) {
				overlaps++
			}
		}
	}
	wrong := wrongChildren()
	if overlaps > 0 || wrong > 0 || len(terms) == 0 || truth.events == 0 || synced.Load() == 0 {
		isGood = false
	}
	output := map[string]any{
		"seconds": *seconds, "writes": truth.events, "objects": len(truth.byUID), "informers": perInformer,
		"leader_terms": len(terms), "leaders_at_once": overlaps,
		"keys_worked_off": synced.Load(), "children_wrong": wrong,
	}
	check(json.NewEncoder(os.Stdout).Encode(output), "output")
	if !isGood {
		os.Exit(1)
	}
}
