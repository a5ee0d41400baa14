// What is asked of single groups beside the rules of their fields: expressions that compile, rights that the
// writer has, definitions of custom resources and their objects.
import { validateAdmissionConfiguration } from './admission/policy-validation.ts';
import { checkEscalation, type EscalationServices } from './authz/escalation.ts';
import { validateCertificates } from './certificate-validation.ts';
import { validateDefinitionSpec } from './crd/definition-validation.ts';
import { validateCustom } from './crd/object-validation.ts';
import { deviceAccessFaults } from './device-claim-access.ts';
import { validateDeviceExpressions } from './device-expressions.ts';
import type { ObjectLookup } from './object-lookup.ts';
import type { ExtraValidation } from './resources.ts';

export interface ExtraValidationServices {
  readonly escalation: () => EscalationServices;
  readonly lookup: () => ObjectLookup;
  readonly now: () => number;
}

export function extraValidation(services: ExtraValidationServices): ExtraValidation {
  return async (context, object, old) => {
    const { info, subresource } = context;
    switch (info.group) {
      case 'admissionregistration.k8s.io':
        return validateAdmissionConfiguration(object, old);
      case 'resource.k8s.io': {
        const { authorizer } = services.escalation();
        const access = { authorizer, lookup: services.lookup() };
        const faults = await deviceAccessFaults(access, context, object, old);
        return [...faults, ...validateDeviceExpressions(object, old)];
      }
      case 'rbac.authorization.k8s.io':
        await checkEscalation(services.escalation(), context, object, old);
        break;
      case 'certificates.k8s.io':
        return await validateCertificates(info.kind, object, old, subresource, services.now());
    }
    if (object.kind === 'CustomResourceDefinition' && subresource === undefined) {
      return validateDefinitionSpec(object, old);
    }
    const { causes, warnings } = validateCustom(info, object, old, subresource);
    context.warnings.push(...warnings);
    return causes;
  };
}
