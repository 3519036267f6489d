// prompt-api.js: the Prompt API, LanguageModel, for browsers that have none: on a model of the page's own
// choice.
//
//     import {install} from 'gemma-wasm/prompt-api';
//     install({model: 'https://example.org/gemma.gguf'});
//     const session = await LanguageModel.create();
//     console.log(await session.prompt('Why is the sea salty?'));
//
// It takes and gives text. In windows and in workers.

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
export function languageModel({
    model,
    load = {},
    languages,
    userActivation = true,
    toolRounds = 8,
    unloadAfter = 60_000,
}) {
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
