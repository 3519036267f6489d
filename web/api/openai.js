// openai.js: the library in the shape of the openai package: what is written for that runs on a model in this tab, or in this process.
//
//     const client = new OpenAI({gemma: await Gemma.load(model)});
//     const answer = await client.chat.completions.create({messages: [{role: 'user', content: 'Why is the sea salty?'}]});
//     for await (const chunk of await client.chat.completions.create({messages, stream: true})) show(chunk.choices[0]?.delta.content);
//
// Requests are stateless: each has its whole conversation. What one shares with those before is not evaluated again (see usage's cached_tokens).
// Several are answered at the same time. Fields that are null count as not given; what is not supported is refused by its name.

import {ChatCompletions} from './openai/chat.js';
import {Completions} from './openai/completions.js';
import {Embeddings} from './openai/embeddings.js';
import * as errors from './openai/errors.js';
import {Gate} from './openai/gate.js';
import {Models} from './openai/models.js';
import {Pool} from './openai/pool.js';
import {Stream} from './openai/stream.js';
import {Tokens} from './openai/tokens.js';
import {GemmaError} from '../gemma.js';

export * from './openai/errors.js';
export {Stream};

/**
 * @typedef {import('./openai/types.js').ChatFields} ChatCompletionCreateParams
 * @typedef {import('./openai/types.js').ChatCompletion} ChatCompletion
 * @typedef {import('./openai/types.js').ChatChunk} ChatCompletionChunk
 * @typedef {import('./openai/types.js').CompletionFields} CompletionCreateParams
 * @typedef {import('./openai/types.js').Completion} Completion
 * @typedef {import('./openai/types.js').EmbeddingFields} EmbeddingCreateParams
 * @typedef {import('./openai/types.js').EmbeddingList} CreateEmbeddingResponse
 * @typedef {import('./openai/types.js').Model} Model
 *
 * @typedef {object} Options
 * @property {import('../gemma.js').Gemma} gemma   a loaded model
 * @property {string} [model]      its id in answers; default: its name
 * @property {number} [parallel]   texts that are written at the same time; default: 4
 * @property {number} [queue]      requests that may wait besides; one more is refused with status 429. Default: any number
 * @property {number} [sessions]   that are kept for what they have evaluated, those in use among them; default: 2 more than parallel,
 *   at least 6
 */

/** @param {string} name @param {any} value @param {number} least */
function checkCount(name, value, least) {
    if (Number.isSafeInteger(value) && value >= least || name === 'queue' && value === Infinity) return;
    throw new GemmaError('bad-argument', `${name} is ${String(value)}; a whole number from ${least} is expected.`);
}

export class OpenAI {
    #pool;
    #gate;

    static APIError = errors.APIError;
    static BadRequestError = errors.BadRequestError;
    static NotFoundError = errors.NotFoundError;
    static RateLimitError = errors.RateLimitError;
    static InternalServerError = errors.InternalServerError;
    static APIUserAbortError = errors.APIUserAbortError;

    /** @param {Options} options */
    constructor({gemma, model, parallel, queue, sessions, ...more}) {
        const odd = Object.keys(more)[0];
        if (odd) throw new GemmaError('bad-argument', `OpenAI has no option ${odd}; it takes gemma, model, parallel, queue and sessions.`);
        if (!gemma?.info) throw new GemmaError('bad-argument', 'OpenAI needs a model: {gemma: await Gemma.load(...)}.');
        checkCount('parallel', parallel ??= 4, 1);
        checkCount('queue', queue ??= Infinity, 0);
        checkCount('sessions', sessions ??= Math.max(parallel, 4) + 2, 1);
        this.#gate = new Gate(parallel, queue);
        this.#pool = new Pool(gemma, sessions);
        const about = {id: model ?? (gemma.info.name || gemma.info.architecture), created: Math.floor(Date.now() / 1000)};
        const engine = {gemma, gate: this.#gate, pool: this.#pool, tokens: new Tokens(gemma), model: about};
        this.chat = {completions: new ChatCompletions(engine)};
        this.completions = new Completions(engine);
        this.embeddings = new Embeddings(engine);
        this.models = new Models(about);
    }

    /** Requests under way, and sessions that are kept for the next ones. */
    get load() {
        return {requests: this.#gate.requests, kept: this.#pool.size};
    }

    /** Frees the sessions that are kept; the model stays. */
    close() {
        return this.#pool.close();
    }
}

export default OpenAI;
