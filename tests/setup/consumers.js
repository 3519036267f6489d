// Brings the packages of tests/consumers when a test first needs them: `npm start` and `npm run check`
// do without.
// Owns: nothing; setup.js knows how.

import {fileURLToPath} from 'node:url';
import {ensurePackages} from '../../web/node/setup.js';

/** The folder whose node_modules they are in. */
export const CONSUMERS = fileURLToPath(new URL('../consumers', import.meta.url));

export const ensureConsumers = () => ensurePackages(CONSUMERS, 'packages of consumers');
