// tokenizer.js: texts as token ids and back, as evaluation harnesses ask for them. Names of control tokens
// become those tokens.

import {httpError} from './reply.js';

/**
 * @typedef {import('../../gemma.js').Gemma} Gemma
 */

/** Others' tokens wait meanwhile. */
const LONGEST = 2 ** 20;

/** @param {any} body @param {string} name @param {(value: any) => boolean} is @param {string} expected */
function need(body, name, is, expected) {
    if (is(body?.[name])) return body[name];
    throw httpError(400, `Invalid value for '${name}': ${expected} is expected.`,
        {param: name, code: 'invalid_value'});
}

/** @param {any} v */
const isFlag = (v) => v === undefined || v === null || typeof v === 'boolean';

/**
 * @param {Gemma} gemma
 * @param {any} body   {prompt, add_special_tokens = true}: <bos> comes first, where texts begin with it
 */
export async function tokenize(gemma, body) {
    const prompt = need(body, 'prompt', (v) => typeof v === 'string' && v.length <= LONGEST,
        `a string of up to ${LONGEST} characters`);
    const isWhole = need(body, 'add_special_tokens', isFlag, 'true or false') ?? true;
    const tokens = await gemma.tokenize(prompt, {bos: isWhole && gemma.info.addsBos, special: true});
    return {count: tokens.length, max_model_len: gemma.info.contextLength, tokens};
}

/** @param {Gemma} gemma @param {any} body   {tokens} */
export async function detokenize(gemma, body) {
    const {nVocab} = gemma.info;
    /** @param {any} id */
    const isId = (id) => Number.isInteger(id) && id >= 0 && id < nVocab;
    const tokens = need(body, 'tokens', (v) => Array.isArray(v) && v.every(isId),
        `an array of token ids from 0 to ${nVocab - 1}`);
    return {prompt: await gemma.detokenize(tokens)};
}
