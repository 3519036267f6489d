// serve.js: gemma serve: the page on localhost.

import {access} from 'node:fs/promises';
import {parseArgs} from '../args.js';
import {modelFolder} from '../default_model.js';
import {serve} from '../server.js';

/** @param {string[]} argv */
export default async function run(argv) {
    const {options} = parseArgs(argv, {port: 'port', host: 'text', model: 'text'});
    if (options.model !== undefined) await access(options.model);
    const {url, warning} = await serve({port: options.port, host: options.host, model: options.model, models: modelFolder});
    process.stdout.write(`${url}\n`);
    if (warning) process.stderr.write(`${warning}\n`);
}
