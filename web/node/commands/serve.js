// serve.js: gemma serve: the page on localhost, and OpenAI's API. The model is loaded when the API is first
// called: the page has its own.

import {access} from 'node:fs/promises';
import {parseArgs} from '../args.js';
import {modelFolder} from '../default_model.js';
import {Api} from '../http/api.js';
import {serve} from '../server.js';
import {engineOptions, MODEL_OPTIONS, modelPath} from './shared.js';

const OPTIONS = {
    ...MODEL_OPTIONS, port: 'port', host: 'text', parallel: 'count', queue: 'whole', 'max-body': 'count',
    'api-key': 'text', cors: 'text', context: 'count',
};

/** @param {string[]} argv */
export default async function run(argv) {
    const {options} = parseArgs(argv, /** @type {import('../args.js').OptionTable} */ (OPTIONS)),
        {port, host, model, parallel, queue, maxBody, context} = options;
    if (model !== undefined) await access(model);
    const {observe, ...engine} = engineOptions({...options, ctx: context ?? options.ctx, sessions: parallel});
    const apiKey = options.apiKey ?? process.env.GEMMA_API_KEY;
    const api = new Api({path: () => modelPath({model}), engine, parallel, queue, maxBody, apiKey,
        origins: options.cors?.split(',')});
    const {url, warning} = await serve({port, host, model, models: modelFolder, api});
    process.stdout.write(`${url}\n`);
    process.stderr.write(`OpenAI's API is at ${url}v1\n`);
    if (!warning) return;       // only this machine reaches it
    process.stderr.write(`${warning}\n`);
    if (apiKey === undefined)
        process.stderr.write('Other machines can use the model. Set --api-key KEY to restrict it.\n');
}
