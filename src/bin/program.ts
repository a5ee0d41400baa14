// The program: parses the command line and hands over to one command. Each command loads its own
// code only, because executors and short commands start often.
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { errorChain, Fault } from '#base/fault.ts';
import { createEnv, type EnvOptions, type NodeEnv } from '#env/node/env.ts';
import { serviceRanges } from '#kube/apiserver/cidr.ts';
import { accessFlagNames, flagKey, repeatedFlags } from '#kube/apiserver/access-flag-names.ts';
import packageInfo from '../../package.json' with { type: 'json' };
import { selfCommand } from './self.ts';

const defaultHome = process.env['STRATA_HOME'] ?? join(homedir(), '.strata');

function wholeNumber(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < low || value > high) {
      throw new InvalidArgumentError(`Expected a whole number from ${low} to ${high}.`);
    }
    return value;
  };
}

function positiveNumber(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new InvalidArgumentError('Expected a number.');
  return value;
}

function checkedRanges(text: string): string {
  try {
    serviceRanges(text);
  } catch (error) {
    if (error instanceof Fault) throw new InvalidArgumentError(`${error.message}.`);
    throw error;
  }
  return text;
}

const port = wholeNumber(0, 65_535);

function makeEnv(component: string, more: Partial<EnvOptions> = {}): NodeEnv {
  const level = process.env['STRATA_LOG_LEVEL'] ?? 'info';
  const logLevel = level === 'debug' || level === 'warn' || level === 'error' ? level : 'info';
  const logFormat = process.env['STRATA_LOG_FORMAT'] === 'json' ? 'json' : 'text';
  return createEnv({ component, logLevel, logFormat, ...more });
}

const homeOption = () =>
  new Option('--home <dir>', 'folder of all state')
    .default(defaultHome)
    .argParser((text) => resolve(text));
const credentialOption = () =>
  new Option('--credential <file>', 'file with principal and secret for masters and agents').env(
    'STRATA_CREDENTIAL',
  );
const serviceRangeOption = () =>
  new Option(
    '--service-cluster-ip-range <ranges>',
    'addresses of services: a range such as 10.0.0.0/16, or one of each family, as 10.0.0.0/16,fd00::/112',
  ).argParser(checkedRanges);
const supervisedOption = () => new Option('--supervised').hideHelp();

function accessFlags(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const keys = accessFlagNames.map(([name]) => flagKey(name));
  return Object.fromEntries(keys.filter((key) => key in options).map((key) => [key, options[key]]));
}

const MESOS_HELP = `
All flags of Mesos are also taken as it takes them, --NAME=VALUE, --NAME or --no-NAME, and from the
environment as MESOS_NAME, which the command line wins over.`;

// Whoever read what is said may be gone, or the disk that keeps it full: no reason to end.
process.stderr.on('error', () => {});

/** Runs a command and turns its outcome into the exit status. */
function exits<T extends unknown[]>(run: (...args: T) => Promise<number>) {
  return async (...args: T): Promise<void> => {
    try {
      process.exitCode = await run(...args);
    } catch (error) {
      process.stderr.write(`strata: ${errorChain(error)}\n`);
      if (process.env['STRATA_LOG_LEVEL'] === 'debug')
        process.stderr.write(`${String((error as Error).stack)}\n`);
      process.exitCode = 1;
    }
    // Commands close what they opened; a handle that is left behind must not keep the program.
    process.exit();
  };
}

const program = new Command('strata')
  .description(
    'One resource substrate, compatible with Apache Mesos, and Kubernetes clusters as frameworks on it',
  )
  .version(packageInfo.version, '--version')
  .showHelpAfterError();

program
  .command('up')
  .description('start master, agents and the Kubernetes instance "default" on this machine')
  .addOption(homeOption())
  .option('--agents <n>', 'number of agents', wholeNumber(0, 1_000), 1)
  .addOption(
    new Option('--port-offset <k>', 'added to every port')
      .env('STRATA_PORT_OFFSET')
      .argParser(wholeNumber(0, 50_000))
      .default(0),
  )
  .option('--resources <text>', 'resources of each agent, e.g. cpus:4;mem:4096')
  .option('--detach', 'return when everything is ready', false)
  .addOption(serviceRangeOption())
  .option('--no-kube', 'start no Kubernetes instance')
  .option('--no-install', 'install nothing')
  .action(
    exits(async (options) => {
      const { up } = await import('#cli/up.ts');
      if (options.install === true) {
        const { installSystemPackages } = await import('#cli/install.ts');
        await installSystemPackages();
      }
      return await up({ ...options, command: selfCommand() }, makeEnv('supervisor'));
    }),
  );

program
  .command('down')
  .description('stop what runs in a home')
  .addOption(homeOption())
  .option('--keep-tasks', 'leave tasks and pods running', false)
  .action(
    exits(async (options) => {
      const { down } = await import('#cli/down.ts');
      return await down(options, makeEnv('cli'));
    }),
  );

program
  .command('status')
  .description('show what runs')
  .addOption(homeOption())
  .addOption(credentialOption())
  .addOption(
    new Option('-o, --output <format>', 'output').choices(['text', 'json']).default('text'),
  )
  .action(
    exits(async (options) => {
      const { status } = await import('#cli/status.ts');
      return await status(options, makeEnv('cli'));
    }),
  );

program
  .command('why')
  .description('explain why a framework or a role has no offers, or a pod no place')
  .argument('<what>', 'id or name of a framework, a role, or pod/NAME')
  .addOption(homeOption())
  .option('--master <host:port>', 'where the master is, when it is not that of the home')
  .addOption(credentialOption())
  .option('--role <role>', 'only in this role of the framework')
  .option('-n, --namespace <namespace>', 'of the pod', 'default')
  .option('--instance <name>', 'of the pod', 'default')
  .addOption(
    new Option('-o, --output <format>', 'output').choices(['text', 'json']).default('text'),
  )
  .action(
    exits(async (target: string, options) => {
      const { why } = await import('#cli/why.ts');
      return await why(target, options, makeEnv('cli'));
    }),
  );

program
  .command('master')
  .description('run a master in the foreground')
  .addOption(homeOption())
  .option('--host <address>', 'address to listen on', '127.0.0.1')
  .option('--port <port>', 'port', port, 5050)
  .option('--hostname <name>', 'name for others to reach it by')
  .option(
    '--store <store>',
    'the registry: sqlite:PATH or etcd:URL[,URL][?prefix=/P] (default: a file)',
  )
  .option('--zk <url>', 'elect the leader in ZooKeeper: zk://[USER:PASSWORD@]HOST:PORT[,…]/PATH')
  .option('--flag <name=value...>', "flags under Mesos' names, e.g. authenticate_agents=true")
  .addOption(supervisedOption())
  .addHelpText('after', MESOS_HELP)
  .allowUnknownOption()
  .allowExcessArguments()
  .action(
    exits(async (given, command: Command) => {
      const { logOptions, mesosOptions } = await import('./part-options.ts');
      const options = mesosOptions('master', given, command);
      const env = makeEnv('master', logOptions('master', options));
      const [{ servePart }, { runMaster }] = await Promise.all([
        import('./part.ts'),
        import('./master.ts'),
      ]);
      const own = { ...options, home: join(options.home, 'master') };
      const start = () => runMaster(own, env, (level) => env.setVerbosity(level));
      const readyLine = ({ url }: { url: string }) => `master: ready at ${url}`;
      return await servePart(start, { supervised: options.supervised === true, readyLine }, env);
    }),
  );

program
  .command('agent')
  .description('run an agent in the foreground')
  .option('--master <address>', 'HOST:PORT, zk://HOST:PORT[,…]/PATH or etcd:URL[,URL]')
  .addOption(homeOption())
  .option('--host <address>', 'address to listen on', '127.0.0.1')
  .option('--port <port>', 'port', port, 5051)
  .option('--hostname <name>', 'name to report')
  .option('--resources <text>', 'e.g. cpus:4;mem:4096;disk:10000;ports:[31000-32000]')
  .option('--attributes <text>', 'e.g. rack:a;zone:b')
  .option('--flag <name=value...>', "flags under Mesos' names, e.g. isolation=namespaces/pid")
  .addOption(new Option('--share <n>').argParser(wholeNumber(1, 1_000)).default(1).hideHelp())
  .addOption(new Option('--share-index <n>').argParser(wholeNumber(0, 999)).default(0).hideHelp())
  .addOption(supervisedOption())
  .addHelpText('after', MESOS_HELP)
  .allowUnknownOption()
  .allowExcessArguments()
  .action(
    exits(async (given, command: Command) => {
      const { logOptions, mesosOptions } = await import('./part-options.ts');
      const options = mesosOptions('agent', given, command);
      if (options.master === undefined) throw new Error('Missing required option --master');
      const env = makeEnv('agent', logOptions('agent', options));
      const [{ servePart }, { runAgent }] = await Promise.all([
        import('./part.ts'),
        import('./agent.ts'),
      ]);
      const start = () => runAgent(options, env, (level) => env.setVerbosity(level));
      const readyLine = ({ url }: { url: string }) => `agent: ready at ${url}`;
      const supervised = options.supervised === true;
      return await servePart(start, { supervised, readyLine, isSmall: true }, env);
    }),
  );

program
  .command('run')
  .description('run a plain task, stream its output, return its exit status')
  .addOption(
    new Option('--master <address>', 'HOST:PORT, zk://HOST:PORT[,…]/PATH or etcd:URL[,URL]')
      .env('STRATA_MASTER')
      .default('127.0.0.1:5050'),
  )
  .addOption(credentialOption())
  .option('--cpus <n>', 'cpus', positiveNumber, 0.1)
  .option('--mem <mb>', 'memory in MB', positiveNumber, 32)
  .option('--role <role>', 'role', '*')
  .option('--name <name>', 'name of the task', 'run')
  .argument('<command...>', 'command and its arguments, after --')
  .action(
    exits(async (command: string[], options) => {
      const { runTask } = await import('#cli/run.ts');
      return await runTask({ ...options, command }, makeEnv('run'));
    }),
  );

program
  .command('test')
  .description('run every check and every test of this clone')
  .allowUnknownOption()
  .allowExcessArguments()
  .action(() => program.error('error: only ./strata in a clone runs the tests'));

const kube = program.command('kube').description('Kubernetes instances');

kube
  .command('create')
  .description('add a Kubernetes instance to what runs in a home')
  .argument('<name>', 'name of the instance')
  .addOption(homeOption())
  .addOption(serviceRangeOption())
  .action(
    exits(async (name: string, options) => {
      const { kubeCreate } = await import('#cli/kube-create.ts');
      return await kubeCreate({ ...options, name }, makeEnv('cli'));
    }),
  );

const serve = kube
  .command('serve')
  .description('run components of a Kubernetes instance in the foreground')
  .argument('<name>', 'name of the instance')
  .addOption(homeOption())
  .option('--host <address>', 'address to listen on', '127.0.0.1')
  .option('--port <port>', 'HTTPS port', port, 6443)
  .option(
    '--master <address>',
    'for the scheduler: HOST:PORT, zk://HOST:PORT[,…]/PATH or etcd:URL[,URL]',
  )
  .option(
    '--components <list>',
    'apiserver,scheduler,controllers',
    'apiserver,scheduler,controllers',
  )
  .option('--kubeconfig <file>', 'the API server to use when none is among the components')
  .addOption(credentialOption())
  .option('--store <store>', 'sqlite:PATH or etcd:URL[,URL] (default: a file of the instance)')
  .addOption(serviceRangeOption())
  .option(
    '--encryption-provider-config <file>',
    'how values are encrypted in the store: an EncryptionConfiguration; read again when it changes',
  )
  .option('--max-requests-inflight <n>', 'requests that read at once', wholeNumber(0, 1e6), 400)
  .option(
    '--max-mutating-requests-inflight <n>',
    'requests that write at once',
    wholeNumber(0, 1e6),
    200,
  )
  .addOption(supervisedOption())
  .action(
    exits(async (name: string, options) => {
      const env = makeEnv(`kube-${name}`);
      const [{ servePart }, { runKube }] = await Promise.all([
        import('./part.ts'),
        import('./kube.ts'),
      ]);
      const readyLine = ({ url }: { url: string }) => `kube ${name}: ready at ${url}`;
      const supervised = options.supervised === true;
      return await servePart(
        () => runKube({ ...options, name, flags: accessFlags(options) }, env),
        { supervised, readyLine },
        env,
      );
    }),
  );

for (const [name, value, what] of accessFlagNames) {
  const option = new Option(`--${name} <${value}>`, what);
  const isList = repeatedFlags.has(name);
  serve.addOption(isList ? option.argParser((one, all: string[] = []) => [...all, one]) : option);
}

const storeOption = (): Option =>
  new Option('--store <store>', 'sqlite:PATH or etcd:URL[,URL] (default: what the instance uses)');

kube
  .command('backup')
  .description("write an instance's store into a file, while it runs or not")
  .argument('<name>', 'name of the instance')
  .argument('<file>', 'file to write')
  .addOption(homeOption())
  .addOption(storeOption())
  .action(
    exits(async (name: string, file: string, options) => {
      const { kubeBackup } = await import('#cli/kube-store.ts');
      return await kubeBackup({ ...options, name, file }, makeEnv('cli'));
    }),
  );

kube
  .command('restore')
  .description("put a backup in place of an instance's store; the instance must be stopped")
  .argument('<name>', 'name of the instance')
  .argument('<file>', 'the backup')
  .addOption(homeOption())
  .addOption(storeOption())
  .action(
    exits(async (name: string, file: string, options) => {
      const { kubeRestore } = await import('#cli/kube-store.ts');
      return await kubeRestore({ ...options, name, file }, makeEnv('cli'));
    }),
  );

kube
  .command('check-store')
  .description("check that an instance's store is whole")
  .argument('<name>', 'name of the instance')
  .addOption(homeOption())
  .addOption(storeOption())
  .action(
    exits(async (name: string, options) => {
      const { kubeCheckStore } = await import('#cli/kube-store.ts');
      return await kubeCheckStore({ ...options, name }, makeEnv('cli'));
    }),
  );

kube
  .command('migrate-store')
  .description("move an instance's objects to another store; the instance must be stopped")
  .argument('<name>', 'name of the instance')
  .requiredOption(
    '--to <store>',
    'sqlite:PATH or etcd:URL[,URL][?prefix=/P&cafile=F&certfile=F&keyfile=F]',
  )
  .addOption(homeOption())
  .addOption(storeOption())
  .action(
    exits(async (name: string, options) => {
      const { kubeMigrateStore } = await import('#cli/kube-store.ts');
      return await kubeMigrateStore({ ...options, name }, makeEnv('cli'));
    }),
  );

kube
  .command('rewrite')
  .description(
    'have objects written anew, as the store would hold them now: encrypted, or with another key',
  )
  .argument('<name>', 'name of the instance, which runs')
  .addOption(homeOption())
  .option(
    '--resources <list>',
    'as in an EncryptionConfiguration: secrets,configmaps,*.apps,*.*',
    (text: string) => text.split(','),
    ['secrets'],
  )
  .option('--kubeconfig <file>', 'the API server to use when it is not that of the instance')
  .action(
    exits(async (name: string, options) => {
      const { kubeRewrite } = await import('#cli/kube-rewrite.ts');
      return await kubeRewrite({ ...options, name });
    }),
  );

kube
  .command('node')
  .description('the node executor of an instance; started by Mesos agents')
  .requiredOption('--instance <name>', 'name of the instance')
  .action(
    exits(async (options) => {
      const { runKubeNode } = await import('./kube-node.ts');
      return await runKubeNode(options, makeEnv('kube-node'));
    }),
  );

await program.parseAsync();
