// serve.js: gemma serve: the page on localhost, and OpenAI's API. The model is loaded when the API is first
// called: the page has its own.

import {setMaxListeners} from 'node:events';
import {parseArgs, UsageError} from '../args.js';
import {modelFolder} from '../default_model.js';
import {endOnSignals} from '../ending.js';
import {Api} from '../http/api.js';
import {checkModel} from '../http/model.js';
import {serve} from '../server.js';
import {engineOptions, MODEL_OPTIONS, modelPath} from './shared.js';

const OPTIONS = {
    ...MODEL_OPTIONS, port: 'port', host: 'filled', 'allowed-host': listOf((name) => name.toLowerCase()),
    parallel: 'count', queue: 'whole', 'max-body': 'count', 'api-key': 'filled', cors: listOf(originOf),
    context: 'count',
};

/** @param {(one: string, name: string) => string} read @returns {(value: string, name: string) => string[]} */
function listOf(read) {
    return (value, name) => value.split(',').map((one) => one.trim()).filter(Boolean)
        .map((one) => read(one, name));
}

/** @param {string} text @param {string} name */
function originOf(text, name) {
    if (text === '*' || text === 'null') return text;
    const origin = URL.canParse(text) ? new URL(text).origin : 'null';
    if (origin === 'null')
        throw new UsageError(`--${name} ${text}: an origin like https://example.com is expected, or *.`);
    return origin;
}

/** @param {string[]} argv */
export default async function run(argv) {
    const {options} = parseArgs(argv, /** @type {import('../args.js').OptionTable} */ (OPTIONS)),
        {port, host, allowedHost, model, parallel, queue, maxBody, context} = options;
    if (model !== undefined) await checkModel(model);
    const {observe, ...engine} = engineOptions({...options, ctx: context ?? options.ctx, sessions: parallel});
    const apiKey = options.apiKey ?? (process.env.GEMMA_API_KEY || undefined);
    const api = new Api({path: () => modelPath({model}), engine, parallel, queue, maxBody, apiKey,
        origins: options.cors});
    const {url, warning, close} = await serve({port, host, allowedHosts: allowedHost, model,
        models: modelFolder, api});
    endOnSignals(close);
    setMaxListeners(0);     // a request's signal has one for each of its texts
    process.stdout.write(`${url}\n`);
    process.stderr.write(`OpenAI's API is at ${url}v1\n`);
    if (!warning) return;       // only this machine reaches it
    process.stderr.write(`${warning}\n`);
    if (apiKey === undefined)
        process.stderr.write('Other machines can use the model. Set --api-key KEY to restrict it.\n');
}
