// openai.js: the library in the shape of the openai package: what is written for that runs on a model in this
// tab, or in this process.
//
//     const client = new OpenAI({gemma: await Gemma.load(model)});
//     const messages = [{role: 'user', content: 'Why is the sea salty?'}];
//     const answer = await client.chat.completions.create({messages});
//     for await (const chunk of await client.chat.completions.create({messages, stream: true}))
//         show(chunk.choices[0]?.delta.content);
//
// Requests are stateless: each has its whole conversation. What one shares with those before is not evaluated
// again (see usage's cached_tokens).
// Several are answered at the same time. Fields that are null count as not given; what is not supported is
// refused by its name.

import {ChatCompletions} from './openai/chat.js';
import {Completions} from './openai/completions.js';
import {Embeddings} from './openai/embeddings.js';
import {createEngine} from './openai/engine.js';
import * as errors from './openai/errors.js';
import {Models} from './openai/models.js';
import {Stream} from './openai/stream.js';

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
 * @typedef {import('./openai/engine.js').Options} Options
 */

export class OpenAI {
    #pool;
    #gate;

    static APIError = errors.APIError;
    static BadRequestError = errors.BadRequestError;
    static AuthenticationError = errors.AuthenticationError;
    static PermissionDeniedError = errors.PermissionDeniedError;
    static NotFoundError = errors.NotFoundError;
    static RateLimitError = errors.RateLimitError;
    static InternalServerError = errors.InternalServerError;
    static APIUserAbortError = errors.APIUserAbortError;
    static APIConnectionTimeoutError = errors.APIConnectionTimeoutError;

    static {
        // The classes' own names are shortened in the package.
        for (const [name, {prototype}] of Object.entries(OpenAI)) prototype.name = name;
    }

    /** @param {Options} options */
    constructor(options) {
        const engine = createEngine(options, 'OpenAI');
        this.#gate = engine.gate;
        this.#pool = engine.pool;
        this.chat = {completions: new ChatCompletions(engine)};
        this.completions = new Completions(engine);
        this.embeddings = new Embeddings(engine);
        this.models = new Models(engine.model);
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
