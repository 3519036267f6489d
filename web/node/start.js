// `npm start`: sets everything up, then serves the page.
//
//   npm start -- [--port N]
//
// Owns: the order of the steps. Must not know: how they are done.

import {parseArgs} from 'node:util';
import {modelFolder} from './default_model.js';
import {main, say} from './run.js';
import {serve} from './server.js';
import {ensureModel, ensureModules} from './setup.js';

const port = portOf(process.argv.slice(2));

if (port === null) {
    say('usage: npm start -- [--port N]    with N from 0 to 65535');
    process.exitCode = 2;
} else {
    await main(async () => {
        await ensureModules();
        await ensureModel();
        const {url} = await serve({port, models: modelFolder});
        console.log(`Gemma is at ${url} (Ctrl+C ends it)`);
    });
}

/** @param {string[]} args @returns {number | undefined | null} undefined: none named; null: the arguments make no sense */
function portOf(args) {
    try {
        const {port: text} = parseArgs({args, options: {port: {type: 'string'}}}).values;
        if (text === undefined) return undefined;
        return /^\d{1,5}$/.test(text) && Number(text) < 65536 ? Number(text) : null;
    } catch {
        return null;
    }
}
