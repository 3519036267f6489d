// openai-helpers.js: the client of openai.js with the helpers of the openai package besides: parse(),
// stream() and runTools(). They are as large as a fifth of it, and most code does without.
//
//     const client = new OpenAI({gemma: await Gemma.load(model)});
//     const {choices: [{message}]} = await client.chat.completions.parse({
//         messages, response_format: zodResponseFormat(Answer, 'answer'),
//     });

import {OpenAI as Client} from './openai.js';
import {asApiPromise} from './openai/run.js';
import {streamed} from './openai_helpers/chat_stream.js';
import {LengthFinishReasonError, parsed} from './openai_helpers/parse.js';
import {runTools} from './openai_helpers/run_tools.js';

/**
 * @typedef {import('./openai/chat.js').ChatCompletions} ChatCompletions
 * @typedef {import('./openai/types.js').ChatFields} ChatFields
 * @typedef {import('./openai/types.js').ChatCompletion} ChatCompletion
 * @typedef {import('./openai/types.js').RequestOptions} RequestOptions
 */

export * from './openai.js';
export {LengthFinishReasonError};

/** @param {ChatCompletions} completions */
const helpersOf = (completions) => ({
    /**
     * create() with what the answer says as values: `message.parsed` by a response_format of JSON, and
     * `parsed_arguments` of strict tools. Rejects with LengthFinishReasonError where an answer ended before
     * it was whole.
     * @param {ChatFields & {stream?: false | null}} body @param {RequestOptions} [options]
     * @returns {Promise<any> & {withResponse: () => Promise<{data: any, response: Response,
     *     request_id: string}>}}
     */
    parse: (body, options) => asApiPromise(completions.create({...body, stream: false}, options)
        .then((/** @type {any} */ whole) => parsed(whole, body))),

    /**
     * An answer with events while it is written, and promises of what it comes to.
     * @param {ChatFields} body @param {RequestOptions} [options]
     */
    stream: (body, options) => streamed(completions, body, options),

    /**
     * Answers until one calls no tool; each tool's `function.function` is run between them.
     * @param {Omit<ChatFields, 'tools'> & {tools: any[], stream?: boolean | null}} body
     * @param {RequestOptions & {maxChatCompletions?: number}} [options]
     */
    runTools: (body, options) => runTools(completions, body, options),
});

export class OpenAI extends Client {
    static LengthFinishReasonError = LengthFinishReasonError;

    /** @param {import('./openai.js').Options} options */
    constructor(options) {
        super(options);
        const {completions} = this.chat;
        this.chat = {completions: Object.assign(completions, helpersOf(completions))};
    }
}

export default OpenAI;
