"""A Mesos framework on pymesos: launches COUNT short command tasks, ends when all have finished."""
import sys
import threading
import uuid

from addict import Dict
from pymesos import MesosSchedulerDriver, Scheduler

MASTER, COUNT, COMMAND = sys.argv[1], int(sys.argv[2]), sys.argv[3]
CPUS, MEM = 0.01, 8


class ShortTasks(Scheduler):
    def __init__(self):
        self.launched = 0
        self.states = {}
        self.over = threading.Event()
        self.failed = []

    def registered(self, driver, framework_id, master_info):
        print('registered', framework_id.value, flush=True)

    def resourceOffers(self, driver, offers):
        for offer in offers:
            left = {r.name: r.scalar.value for r in offer.resources if r.type == 'SCALAR'}
            tasks = []
            while (self.launched < COUNT and len(tasks) < 20
                   and left.get('cpus', 0) >= CPUS and left.get('mem', 0) >= MEM):
                left['cpus'] -= CPUS
                left['mem'] -= MEM
                self.launched += 1
                task = Dict()
                task.task_id.value = str(uuid.uuid4())
                task.agent_id.value = offer.agent_id.value
                task.name = 'short-%d' % self.launched
                task.command.value = COMMAND
                task.resources = [
                    dict(name='cpus', type='SCALAR', scalar={'value': CPUS}),
                    dict(name='mem', type='SCALAR', scalar={'value': MEM}),
                ]
                tasks.append(task)
            if tasks:
                driver.launchTasks(offer.id, tasks, {'refuse_seconds': 0})
            else:
                driver.declineOffer(offer.id, {'refuse_seconds': 60})

    def statusUpdate(self, driver, update):
        self.states[update.task_id.value] = update.state
        if update.state in ('TASK_FAILED', 'TASK_LOST', 'TASK_ERROR', 'TASK_KILLED', 'TASK_DROPPED'):
            self.failed.append((update.state, update.get('reason'), update.get('message')))
        done = [s for s in self.states.values() if s not in ('TASK_STAGING', 'TASK_STARTING', 'TASK_RUNNING')]
        if len(done) >= COUNT:
            self.over.set()


def main():
    scheduler = ShortTasks()
    framework = Dict()
    framework.user = 'root'
    framework.name = 'short-tasks'
    known = dict(principal=sys.argv[4], secret=sys.argv[5]) if len(sys.argv) > 5 else {}
    driver = MesosSchedulerDriver(scheduler, framework, MASTER, use_addict=True, **known)
    driver.start()
    finished = scheduler.over.wait(120)
    count = sum(1 for state in scheduler.states.values() if state == 'TASK_FINISHED')
    print('finished', count, 'of', COUNT, flush=True)
    for failure in scheduler.failed[:5]:
        print('failed', failure, flush=True)
    driver.stop()
    driver.join()
    return 0 if finished and count == COUNT else 1


if __name__ == '__main__':
    sys.exit(main())
