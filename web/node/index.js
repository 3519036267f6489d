// index.js: the library under Node, with what browsers lack: OpenAI's API over HTTP.
//
//     import {Gemma, serve} from 'gemma-wasm/node';
//     const server = await serve({model: 'gemma-3-270m-it.gguf', port: 8000});

import {GemmaError} from '../base/error.js';
import {Api} from './http/api.js';
import {checkModel} from './http/model.js';
import {serve as listen} from './server.js';

export {Constraint, Gemma, GemmaError, Session} from '../gemma.js';

/**
 * @typedef {object} ServeOptions
 * @property {string} model        path of a GGUF
 * @property {number} [port]       0: any; default: the first of 20 from 8000 on that is free
 * @property {string} [host]       where it listens; default: localhost
 * @property {string[]} [allowedHosts]   other names by which requests may call it
 * @property {string} [apiKey]     callers must send it
 * @property {string[]} [origins]  sites whose pages may ask, beside those of this machine
 * @property {number} [parallel]   requests that are answered at the same time; default 4
 * @property {number} [queue]      requests that wait; default 64
 * @property {number} [maxBody]    bytes of a request
 * @property {import('../gemma.js').LoadOptions} [engine]   with which the model is loaded
 */

/**
 * Serves OpenAI's API over HTTP. The model is loaded by the first request; a file that is none rejects at once.
 * @param {ServeOptions} options
 * @returns {Promise<{url: string, port: number, close: () => Promise<void>}>}   close: ends the server
 *     and the engine
 */
export async function serve({model, port, host, allowedHosts = [], apiKey, origins, parallel, queue, maxBody,
    engine = {}}) {
    if (typeof model !== 'string')
        throw new GemmaError('bad-argument', 'The model is given by the path of its file.');
    if (apiKey === '' || host === '')
        throw new GemmaError('bad-argument', `${host === '' ? 'host' : 'apiKey'} is empty; leave it out, or give it a value.`);
    await checkModel(model);
    const api = new Api({path: async () => model, engine, parallel, queue, maxBody, apiKey, origins: origins
        && [origins].flat()});
    const server = await listen({port, host, allowedHosts: allowedHosts.map((name) => name.toLowerCase()),
        model, api});
    return {
        url: server.url, port: server.port,
        async close() {
            await server.close();
            api.close();
        },
    };
}
