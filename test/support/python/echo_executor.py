# An executor on pymesos' driver: each task is reported running, its data sent back, then finished;
# what the framework sends to the executor is sent back as well.
import sys
import threading

from pymesos import Executor, MesosExecutorDriver, decode_data, encode_data


class EchoExecutor(Executor):
    def launchTask(self, driver, task):
        def run():
            driver.sendStatusUpdate(
                {'task_id': task['task_id'], 'state': 'TASK_RUNNING'})
            driver.sendFrameworkMessage(
                encode_data(decode_data(task['data'])))
            driver.sendStatusUpdate(
                {'task_id': task['task_id'], 'state': 'TASK_FINISHED'})

        threading.Thread(target=run).start()

    def frameworkMessage(self, driver, message):
        driver.sendFrameworkMessage(message)

    def shutdown(self, driver):
        driver.stop()


if __name__ == '__main__':
    driver = MesosExecutorDriver(EchoExecutor(), use_addict=True)
    driver.run()
