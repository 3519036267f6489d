// packages.js: brings npm's packages for the scripts that need nothing else (npm run check, types, docs).
// Owns: nothing; setup.js knows how.

import {main} from '../../web/node/run.js';
import {ensureDependencies} from '../../web/node/setup.js';

await main(ensureDependencies);
