# An executor on pesos' driver of protocol v0 (Mesos 0.21, Python 2), for tests: what a task does is its data, and
# messages tell it more. Each callback is a line of the file `calls` in its sandbox.
import os
import site
import sys
import threading
import time

site.addsitedir(sys.argv[1])

from mesos.interface import Executor
from pesos.executor import PesosExecutorDriver
from pesos.vendor.mesos import mesos_pb2


calls = open(os.path.join(os.environ['MESOS_DIRECTORY'], 'calls'), 'w', 1)


def say(*words):
    calls.write(' '.join(words) + '\n')


def tell(driver, task_id, state):
    status = mesos_pb2.TaskStatus(state=state)
    status.task_id.value = task_id
    driver.sendStatusUpdate(status)


# The test makes the file while nobody listens to what is said of it.
def finish_when(driver, task_id, path):
    while not os.path.exists(path):
        time.sleep(0.02)
    tell(driver, task_id, mesos_pb2.TASK_FINISHED)
    say('finished', task_id)


class Player(Executor):
    def registered(self, driver, own, framework, agent):
        say('registered', own.executor_id.value, framework.name, agent.hostname)

    def reregistered(self, driver, agent):
        say('reregistered', agent.hostname)

    def disconnected(self, driver):
        say('disconnected')

    def launchTask(self, driver, task):
        say('launch', task.task_id.value, task.data)
        if task.data == 'silent':
            return
        tell(driver, task.task_id.value, mesos_pb2.TASK_RUNNING)
        if task.data == 'finish':
            tell(driver, task.task_id.value, mesos_pb2.TASK_FINISHED)
        elif task.data == 'die':
            os._exit(7)
        elif task.data.startswith('await '):
            where = task.data[len('await '):]
            waiter = threading.Thread(
                target=finish_when, args=(driver, task.task_id.value, where))
            waiter.daemon = True
            waiter.start()

    def killTask(self, driver, task_id):
        say('kill', task_id.value)
        tell(driver, task_id.value, mesos_pb2.TASK_KILLED)

    def frameworkMessage(self, driver, text):
        say('message', text)
        word, _, task_id = text.partition(' ')
        if word == 'finish':
            tell(driver, task_id, mesos_pb2.TASK_FINISHED)
        elif word == 'run':
            tell(driver, task_id, mesos_pb2.TASK_RUNNING)
        driver.sendFrameworkMessage('heard ' + text)

    def shutdown(self, driver):
        say('shutdown')
        if 'STUBBORN' not in os.environ:
            os._exit(0)

    def error(self, driver, text):
        say('error', text)


PesosExecutorDriver(Player()).run()
