// `npm start`: sets everything up, then serves the page, and OpenAI's API beside it. The API's model is
// loaded when it is first asked.
//
//   npm start -- [--port N] [--host H]
//
// Owns: the order of the steps. Must not know: how they are done.

import {HelpAsked, UsageError, parseArgs} from './args.js';
import {modelFolder} from './default_model.js';
import {main, say} from './run.js';
import {ensureDependencies, ensureModel, ensureModules} from './setup.js';

const USAGE = 'usage: npm start -- [--port N] [--host H]    with N from 0 to 65535; default: localhost, at the first free port from 8000 on';

try {
    const {options} = parseArgs(process.argv.slice(2), {port: 'port', host: 'filled'});
    await main(async () => {
        await ensureDependencies();
        await ensureModules();
        const model = await ensureModel();
        // they need the packages
        const [{serve}, {Api}, {endOnSignals}] = await Promise.all([import('./server.js'),
            import('./http/api.js'), import('./ending.js')]);
        const api = new Api({path: async () => model});
        const {url, warning, close} = await serve({...options, models: modelFolder, api});
        endOnSignals(close);
        console.log(`Gemma is at ${url} (Ctrl+C ends it), OpenAI's API at ${url}v1`);
        if (warning) say(warning);
    });
} catch (error) {
    if (!(error instanceof HelpAsked) && !(error instanceof UsageError)) throw error;
    if (error instanceof HelpAsked) console.log(USAGE);
    else {
        say(`${error.message}\n${USAGE}`);
        process.exitCode = 2;
    }
}
