// An executor on mesos-go's driver of protocol v0, for tests: what a task does is its data, and messages tell
// it more. Each callback is a line of the file `calls` in its sandbox.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	exec "github.com/mesos/mesos-go/api/v0/executor"
	mesos "github.com/mesos/mesos-go/api/v0/mesosproto"
)

type player struct{}

var calls *os.File

func note(words ...any) { fmt.Fprintln(calls, words...) }

func say(driver exec.ExecutorDriver, id string, state mesos.TaskState) {
	status := &mesos.TaskStatus{TaskId: &mesos.TaskID{Value: &id}, State: state.Enum()}
	if _, err := driver.SendStatusUpdate(status); err != nil {
		note("cannot send", err)
	}
}

func (player) Registered(_ exec.ExecutorDriver, own *mesos.ExecutorInfo, framework *mesos.FrameworkInfo, agent *mesos.SlaveInfo) {
	note("registered", own.GetExecutorId().GetValue(), framework.GetName(), agent.GetHostname())
}

func (player) Reregistered(_ exec.ExecutorDriver, agent *mesos.SlaveInfo) {
	note("reregistered", agent.GetHostname())
}

func (player) Disconnected(exec.ExecutorDriver) { note("disconnected") }

func (player) LaunchTask(driver exec.ExecutorDriver, task *mesos.TaskInfo) {
	id, what := task.GetTaskId().GetValue(), string(task.GetData())
	note("launch", id, what)
	noteStart(id)
	if what == "silent" {
		return
	}
	say(driver, id, mesos.TaskState_TASK_RUNNING)
	word, more, _ := strings.Cut(what, " ")
	switch word {
	case "finish":
		say(driver, id, mesos.TaskState_TASK_FINISHED)
	case "die":
		os.Exit(7)
	case "finish-after":
		go finishAfter(driver, id, more)
	case "await":
		go finishWhen(driver, id, more)
	}
}

func finishAfter(driver exec.ExecutorDriver, id, milliseconds string) {
	wait, err := time.ParseDuration(milliseconds + "ms")
	if err != nil {
		panic(err)
	}
	time.Sleep(wait)
	say(driver, id, mesos.TaskState_TASK_FINISHED)
}

// In the file STARTS, which many executors share.
func noteStart(id string) {
	path, isNoted := os.LookupEnv("STARTS")
	if !isNoted {
		return
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		panic(err)
	}
	defer file.Close()
	fmt.Fprintln(file, id)
}

// The test makes the file while nobody listens to what is said of it.
func finishWhen(driver exec.ExecutorDriver, id, path string) {
	for _, err := os.Stat(path); err != nil; _, err = os.Stat(path) {
		time.Sleep(20 * time.Millisecond)
	}
	say(driver, id, mesos.TaskState_TASK_FINISHED)
	note("finished", id)
}

func (player) KillTask(driver exec.ExecutorDriver, id *mesos.TaskID) {
	note("kill", id.GetValue())
	say(driver, id.GetValue(), mesos.TaskState_TASK_KILLED)
}

func (player) FrameworkMessage(driver exec.ExecutorDriver, text string) {
	note("message", text)
	word, id, _ := strings.Cut(text, " ")
	switch word {
	case "finish":
		say(driver, id, mesos.TaskState_TASK_FINISHED)
	case "run":
		say(driver, id, mesos.TaskState_TASK_RUNNING)
	}
	if _, err := driver.SendFrameworkMessage("heard " + text); err != nil {
		note("cannot send", err)
	}
}

func (player) Shutdown(exec.ExecutorDriver) {
	note("shutdown")
	if _, isStubborn := os.LookupEnv("STUBBORN"); !isStubborn {
		os.Exit(0)
	}
}

func (player) Error(_ exec.ExecutorDriver, text string) { note("error", text) }

func main() {
	flag.Parse()
	var err error
	if calls, err = os.Create(filepath.Join(os.Getenv("MESOS_DIRECTORY"), "calls")); err != nil {
		panic(err)
	}
	address := net.ParseIP(os.Getenv("LIBPROCESS_IP"))
	config := exec.DriverConfig{Executor: player{}, BindingAddress: address, HostnameOverride: os.Getenv("LIBPROCESS_IP")}
	driver, err := exec.NewMesosExecutorDriver(config)
	if err != nil {
		note("no driver:", err)
		os.Exit(1)
	}
	_, err = driver.Run()
	note("driver ended:", err)
	if _, isStubborn := os.LookupEnv("STUBBORN"); isStubborn {
		select {}
	}
}
