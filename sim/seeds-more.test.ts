// The second half of the seeds that every change is held to; a file of its own for the second core.
import { keepPromises } from './seeds-fixture.ts';

keepPromises(1_001, 2_000);
