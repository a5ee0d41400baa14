// Everything that is asked of a real kube-apiserver v1.37 and of this server alike: each suite starts from
// a server of its own, and its answers are kept in test/vectors/kube-NAME.json.
import { accessSteps } from '#test/support/access-steps.ts';
import { startAccessWorld } from '#test/support/access-world.ts';
import { bodySteps } from '#test/support/body-steps.ts';
import { changeScenes } from '#test/support/change-steps.ts';
import { certificateSteps } from '#test/support/certificate-steps.ts';
import {
  configuredPluginSteps,
  startConfiguredWorld,
} from '#test/support/configured-plugin-steps.ts';
import { componentSteps } from '#test/support/component-steps.ts';
import { crdSteps } from '#test/support/crd-steps.ts';
import { decisionSteps } from '#test/support/decision-steps.ts';
import { definitionSteps } from '#test/support/definition-steps.ts';
import { playCorpus } from '#test/support/kube-answers.ts';
import { senderTo, type Target } from '#test/support/kube-sender.ts';
import { expressionSteps } from '#test/support/expression-steps.ts';
import { addedRangeSteps, rangeLives } from '#test/support/range-steps.ts';
import { dualStackSteps, ranges } from '#test/support/dual-stack-steps.ts';
import { familySteps } from '#test/support/family-steps.ts';
import { startHookedWorld } from '#test/support/hooked-world.ts';
import { mutatingPolicySteps } from '#test/support/mutating-policy-steps.ts';
import { numberLifeScenes } from '#test/support/number-life-steps.ts';
import { numberScenes } from '#test/support/number-steps.ts';
import { nodeSteps } from '#test/support/node-steps.ts';
import { optionalPluginSteps, startPluginWorld } from '#test/support/optional-plugin-steps.ts';
import { pluginSteps } from '#test/support/plugin-steps.ts';
import { policySteps } from '#test/support/policy-steps.ts';
import { portSteps } from '#test/support/port-steps.ts';
import { quotaSteps } from '#test/support/quota-steps.ts';
import { resizeSteps } from '#test/support/resize-steps.ts';
import { roleSteps } from '#test/support/role-steps.ts';
import { ruleScenes } from '#test/support/rule-steps.ts';
import { subresourceSteps } from '#test/support/subresource-steps.ts';
import { playSteps, type Step } from '#test/support/step-player.ts';
import type { GivenFlags } from '#test/support/step-target.ts';
import { timeoutSteps } from '#test/support/timeout-steps.ts';
import { tokenLives } from '#test/support/token-steps.ts';
import { useScenes } from '#test/support/use-steps.ts';
import { versionSteps } from '#test/support/version-steps.ts';
import { versionlessSteps } from '#test/support/versionless-steps.ts';
import { warningSteps } from '#test/support/warning-steps.ts';
import { writtenSteps } from '#test/support/written-steps.ts';
import { playScenes } from './play.ts';
import { playLists } from './scene-lists.ts';
import type { PlayerOptions } from './player.ts';
import type { Recording } from './record.ts';
import { playWatches } from './scene-watches.ts';
import { playPatchScenes } from './scene-patches.ts';

/** A suite that is about to be played: against a server with these flags (no dashes before them). */
export interface Staged {
  readonly flags: GivenFlags;
  play(target: Target, restart: Restart): Promise<Recording>;
  close(): Promise<void>;
}

/** Starts the server again with other flags, on what it has stored. */
export type Restart = (flags: Staged['flags']) => Promise<Target>;

type Suite = () => Promise<Staged>;

const plain =
  (play: Staged['play']): Suite =>
  async () => ({ flags: {}, play, close: async () => {} });

const stepped = (name: string, steps: () => readonly Step[]): Suite =>
  plain(async (target) => ({ [name]: await playSteps(target, steps()) }));

const rangeFlags = (range: string): Staged['flags'] => ({
  'service-cluster-ip-range': range,
  // Of the family of the first range, or it does not start.
  'advertise-address': range.startsWith('fd') ? '2001:db8::1' : '192.0.2.1',
});

/** On a server with these ranges of addresses for services. */
const ranged =
  (range: string, steps: () => readonly Step[]): Suite =>
  async () => ({
    flags: rangeFlags(range),
    play: async (target) => ({ [range]: await playSteps(target, steps()) }),
    close: async () => {},
  });

/** One life of the server after another, with the ranges of each. */
async function restarted(): Promise<Staged> {
  const lives = Object.entries(rangeLives);
  const play: Staged['play'] = async (first, restart) => {
    const found: Record<string, Recording[string]> = {};
    let target: Target | undefined = first;
    for (const [name, { range, steps }] of lives) {
      target ??= await restart(rangeFlags(range));
      found[name] = await playSteps(target, steps());
      target = undefined;
    }
    return found;
  };
  return { flags: rangeFlags(lives[0]?.[1].range ?? ''), play, close: async () => {} };
}

/** One life of the server after another, with other flags about tokens; what was kept is kept. */
async function tokens(): Promise<Staged> {
  const play: Staged['play'] = async (first, restart) => {
    const found: Record<string, Recording[string]> = {};
    const kept = new Map<string, string>();
    let target: Target | undefined = first;
    for (const [name, { flags, steps }] of Object.entries(tokenLives)) {
      target ??= await restart(flags);
      found[name] = await playSteps(target, steps(), {}, kept);
      target = undefined;
    }
    return found;
  };
  return { flags: Object.values(tokenLives)[0]?.flags ?? {}, play, close: async () => {} };
}

/** One after another, each in places of its own. */
const staged = (
  scenes: Readonly<Record<string, () => readonly Step[]>>,
  options: PlayerOptions = {},
): Suite =>
  plain(async (target) => {
    const found: Record<string, Recording[string]> = {};
    for (const [name, steps] of Object.entries(scenes))
      found[name] = await playSteps(target, steps(), options);
    return found;
  });

async function access(): Promise<Staged> {
  const { flags, steps, close } = await startAccessWorld();
  const play = async (target: Target) => ({ 'letting in': await playSteps(target, steps) });
  return { flags, play, close };
}

async function hooked(): Promise<Staged> {
  const { play, close } = await startHookedWorld();
  return { flags: {}, play: async (target) => ({ hooked: await play(target) }), close };
}

async function optionalPlugins(): Promise<Staged> {
  const { flags, close } = startPluginWorld();
  const play = async (target: Target) => ({
    'optional plugins': await playSteps(target, optionalPluginSteps()),
  });
  return { flags, play, close: async () => close() };
}

async function configuredPlugins(): Promise<Staged> {
  const { flags, close } = await startConfiguredWorld();
  const play = async (target: Target) => ({
    'configured plugins': await playSteps(target, configuredPluginSteps()),
  });
  return { flags, play, close };
}

export const suites: Readonly<Record<string, Suite>> = {
  objects: plain((target) => playCorpus(senderTo(target))),
  scenes: plain((target) => playScenes(senderTo(target))),
  watches: plain(playWatches),
  lists: plain((target) => playLists(senderTo(target))),
  patches: plain((target) => playPatchScenes(senderTo(target))),
  'steps-access': stepped('access', accessSteps),
  'steps-bodies': stepped('bodies', bodySteps),
  'steps-certificates': stepped('certificates', certificateSteps),
  'steps-components': stepped('components', componentSteps),
  'steps-crd': stepped('crd', crdSteps),
  'steps-definition': stepped('definition', definitionSteps),
  'steps-dual': ranged(`${ranges.four},${ranges.six}`, () => dualStackSteps(true)),
  'steps-dual-turned': ranged(`${ranges.six},${ranges.four}`, () => dualStackSteps(true)),
  'steps-single-six': ranged(ranges.six, () => dualStackSteps(false)),
  'steps-ranges-added': ranged('198.19.0.0/29', () => addedRangeSteps(false)),
  'steps-ranges-added-dual': ranged('fd00:19::/125,198.19.0.0/29', () => addedRangeSteps(true)),
  'steps-ranges-changed': restarted,
  'steps-expressions': stepped('expressions', expressionSteps),
  'steps-families': stepped('families', familySteps),
  'steps-mutating': stepped('mutating', mutatingPolicySteps),
  'steps-nodes': stepped('nodes', nodeSteps),
  'steps-policy': stepped('policy', policySteps),
  'steps-plugins': stepped('plugins', pluginSteps),
  timeouts: stepped('timeouts', timeoutSteps),
  'steps-ports': stepped('ports', portSteps),
  'steps-quotas': stepped('quotas', quotaSteps),
  'steps-resize': stepped('resize', resizeSteps),
  'steps-roles': stepped('roles', roleSteps),
  'steps-subresources': stepped('what is below', subresourceSteps),
  'steps-tokens': tokens,
  'steps-versionless': stepped('updates without a version', versionlessSteps),
  'steps-versions': stepped('versions', versionSteps),
  'steps-warnings': stepped('warnings', warningSteps),
  uses: staged(useScenes),
  changes: staged(changeScenes),
  rules: staged(ruleScenes),
  numbers: staged({ ...numberScenes, ...numberLifeScenes }, { isExact: true }),
  'steps-written': stepped('written', writtenSteps),
  'steps-decisions': stepped('decisions', decisionSteps),
  access,
  hooked,
  'optional-plugins': optionalPlugins,
  'configured-plugins': configuredPlugins,
};
