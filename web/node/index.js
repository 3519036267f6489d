// index.js: the library under Node, with what browsers lack: OpenAI's API over HTTP.
//
//     import {Gemma, serve} from 'gemma-wasm/node';
//     const server = await serve({model: 'gemma-3-270m-it.gguf', port: 8000});

import {GemmaError} from '../base/error.js';
import {Api} from './http/api.js';
import {checkModel} from './http/model.js';
import {OPTIONS, readOptions} from '../base/options.js';
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

/** @typedef {import('../base/options.js').Kind} Kind @param {any} v */
const isName = (v) => typeof v === 'string' && v !== '';
/** @type {(least: number, most?: number) => Kind} */
const whole = (least, most = Infinity) => [(v) => Number.isSafeInteger(v) && v >= least && v <= most,
    `a whole number from ${least}${most < Infinity ? ` to ${most}` : ''}`];
/** @type {(kind: Kind) => Kind} */
const orAny = ([is, expected]) => [(v) => v === Infinity || is(v), `${expected}, or Infinity`];
/** @type {Kind} */
const name = [isName, 'a string that is not empty'];
/** @type {Kind} */
const names = [(v) => isName(v) || Array.isArray(v) && v.every(isName), 'a string or an array of strings'];
/** @type {Record<string, Kind>} */
const SERVE = {
    model: name, port: whole(0, 65535), host: name, allowedHosts: names, apiKey: name, origins: names,
    parallel: whole(1), queue: orAny(whole(0)), maxBody: orAny(whole(1)), engine: [(v) => typeof v === 'object'
        && !Array.isArray(v), 'an object'],
};
/**
 * Serves OpenAI's API over HTTP. The model is loaded by the first request; a file that is none rejects at once.
 * @param {ServeOptions} options
 * @returns {Promise<{url: string, port: number, close: () => Promise<void>}>}   close: ends the server
 *     and the engine
 */
export async function serve(options) {
    const {model, port, host, allowedHosts = [], apiKey, origins, parallel, queue, maxBody,
        engine: given} = readOptions('serve', options, SERVE);
    if (model === undefined) throw new GemmaError('bad-argument', 'The model is given by the path of its file.');
    const engine = readOptions('engine', given, OPTIONS.load);
    await checkModel(model);
    const api = new Api({path: async () => model, engine, parallel, queue, maxBody, apiKey, origins: origins
        && [origins].flat()});
    const server = await listen({port, host, allowedHosts: [allowedHosts].flat().map((name) => name.toLowerCase()),
        model, api});
    return {
        url: server.url, port: server.port,
        async close() {
            await server.close();
            api.close();
        },
    };
}
