// prompt-api.js: the Prompt API, LanguageModel, for browsers that have none: on a model of the page's own
// choice.
//
//     import {install} from 'gemma-wasm/prompt-api';
//     install({model: 'https://example.org/gemma.gguf'});
//     const session = await LanguageModel.create();
//     console.log(await session.prompt('Why is the sea salty?'));
//
// It takes and gives text. In windows and in workers.

import {GemmaError} from '../gemma.js';
import {defineLanguageModel} from './prompt_api/language_model.js';
import {Model} from './prompt_api/model.js';

/**
 * @typedef {import('./prompt_api/types.js').LanguageModelClass} LanguageModelClass
 * @typedef {import('./prompt_api/types.js').LanguageModelInstance} LanguageModelInstance
 * @typedef {import('./prompt_api/types.js').PromptApiOptions} PromptApiOptions
 */

/**
 * The class LanguageModel of a model, which is loaded with the first session and shared by all.
 * @param {PromptApiOptions} options
 * @returns {LanguageModelClass}
 */
export function languageModel(options) {
    const given = Object.fromEntries(Object.entries(options ?? {}).filter(([, value]) => value !== null));
    const {model, load = {}, languages, userActivation = true, toolRounds = 8, unloadAfter = 60_000, ...more} =
        /** @type {PromptApiOptions} */ (given), [odd] = Object.keys(more);
    if (odd) throw new GemmaError('bad-argument', `languageModel has no option ${odd}; it takes model, load, `
        + 'languages, userActivation, toolRounds and unloadAfter.');
    if (!Number.isSafeInteger(toolRounds) || toolRounds < 0)
        throw new GemmaError('bad-argument', `toolRounds is ${toolRounds}; a whole number from 0 is expected.`);
    if (!(typeof unloadAfter === 'number' && unloadAfter >= 0))
        throw new GemmaError('bad-argument', `unloadAfter is ${unloadAfter}; milliseconds are expected.`);
    return defineLanguageModel(new Model(model, load, unloadAfter), {languages, userActivation, toolRounds});
}

/**
 * Makes LanguageModel a global where the browser has none.
 * @param {PromptApiOptions & {force?: boolean, target?: object}} options   force: also where it has one;
 *   target: default globalThis
 * @returns {LanguageModelClass} what the global is from now on: the browser's own where it has one
 */
export function install({force = false, target = globalThis, ...options}) {
    const own = /** @type {any} */ (target).LanguageModel;
    if (own && !force) return own;
    const value = languageModel(options);
    Object.defineProperty(target, 'LanguageModel', {
        value,
        configurable: true,
        writable: true,
        enumerable: false,
    });
    return value;
}
