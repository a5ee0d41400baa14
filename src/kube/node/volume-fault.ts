// Why a volume cannot be made yet: the pod waits, with a FailedMount event.
import { Fault } from '#base/fault.ts';

export function volumeFault(message: string): Fault {
  return new Fault({ code: 'volume' }, message);
}
