// deep-chat.js: a loaded model as what answers in <deep-chat>, of the package deep-chat.
//
//     document.querySelector('deep-chat').connect =
//         connectDeepChat(Gemma.load(url, {onProgress}), {system: 'Be brief.'});
//
// Where the page has deep-chat send the whole conversation (requestBodyLimits: {maxMessages: -1}), that is
// what is answered; else each message follows those before it.

import {GemmaError} from '../gemma.js';

/**
 * @typedef {import('../gemma.js').Gemma} Gemma
 * @typedef {{system?: string, maxTokens?: number, sampling?: import('../gemma.js').Sampling, constraint?:
 *     import('../gemma.js').PromptOptions['constraint']}} Options
 *
 * @typedef {object} Signals      what deep-chat gives its handler
 * @property {(response: {text?: string, error?: string}) => Promise<void> | void} onResponse
 * @property {() => void} onOpen
 * @property {() => void} onClose
 * @property {{listener: () => void}} stopClicked
 */

/** @param {any} message   of deep-chat @returns {import('../gemma.js').Message} */
function read({role, text, files}) {
    if (typeof text !== 'string' || files?.length)
        throw new GemmaError('unsupported', 'This model reads text only; send a message without files.');
    return {role: role === 'ai' || role === 'assistant' ? 'assistant' : role === 'system' ? 'system' : 'user',
        content: text};
}

/**
 * @param {Gemma | Promise<Gemma>} model
 * @param {Options | null} [given]   system, sampling, maxTokens and constraint, as for Gemma.session and
 *     Session.prompt
 * @returns {{stream: true, handler: (body: any, signals: Signals) => Promise<void>}}   for deep-chat's
 *     property connect
 */
export function connectDeepChat(model, given) {
    const {system, sampling, ...options} = given ?? {};
    /** @type {import('../gemma.js').Session | undefined} */
    let session;
    return {
        stream: true,
        async handler(body, {onResponse, onOpen, onClose, stopClicked}) {
            const stopping = new AbortController();
            stopClicked.listener = () => stopping.abort();
            try {
                const said = (body?.messages ?? []).map(read), gemma = await model, isWhole = said.length > 1;
                session ??= await gemma.session({system, sampling, overflow: 'drop-oldest'});
                const asked = isWhole && system ? [{role: 'system', content: system}, ...said] : said;
                const answer = session.prompt(asked, {
                    ...options, signal: stopping.signal, stateless: isWhole,
                });
                onOpen();
                for await (const text of answer) await onResponse({text});
            } catch (error) {
                await onResponse({error: /** @type {Error} */ (error).message});
            }
            onClose();
        },
    };
}
