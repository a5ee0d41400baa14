// The suites of steps, by the name of the file that holds their recorded answers.
import { accessSteps } from './access-steps.ts';
import { certificateSteps } from './certificate-steps.ts';
import { crdSteps } from './crd-steps.ts';
import { policySteps } from './policy-steps.ts';
import { definitionSteps } from './definition-steps.ts';
import { nodeSteps } from './node-steps.ts';
import { pluginSteps } from './plugin-steps.ts';
import { roleSteps } from './role-steps.ts';
import type { Step } from './step-player.ts';

export const suites: Readonly<Record<string, () => Step[]>> = {
  access: accessSteps,
  certificates: certificateSteps,
  crd: crdSteps,
  definition: definitionSteps,
  nodes: nodeSteps,
  policy: policySteps,
  plugins: pluginSteps,
  roles: roleSteps,
};
