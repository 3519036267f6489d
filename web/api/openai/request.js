// request.js: what requests for texts have in common: sampling, stop strings, lengths, and what the answer
// must be, as gemma.js takes them. Knows neither messages nor answers.

import {refuse} from './errors.js';
import {flag, isObject, isText, isTooDeep, list, need, number, object, oneOf, signal, text, whole} from './fields.js';

const SEEDS = 2 ** 53, SEED_STEP = 2654435761;      // so that seed + 1 is not the seed of the next choice

/** @type {import('./fields.js').Kind} */
const stops = [
    (v) => [v].flat().every((one) => isText(one) && one !== '') && [v].flat().length <= 64,
    'a string, or an array of up to 64 strings, none of them empty',
];
/** @type {import('./fields.js').Kind} */
const biases = [
    (v) => isObject(v) && Object.keys(v).length <= 1024
        && Object.entries(v).every(([id, bias]) => /^(0|[1-9]\d{0,8})$/.test(id) && typeof bias === 'number'
            && Math.abs(bias) <= 100),
    'an object of up to 1024 token ids and numbers from -100 to 100',
];
/** @type {import('./fields.js').Kind} */
const choices = [(v) => Array.isArray(v) && v.length > 0 && v.every(isText), 'an array of strings'];

/** Fields of every request for a text. */
export const FIELDS = {
    model: text, stream: flag, stream_options: object, temperature: number(0, 2), top_p: number(0, 1),
    frequency_penalty: number(-2, 2),
    presence_penalty: number(-2, 2), stop: stops, seed: whole(-(2 ** 63), 2 ** 63), n: whole(1, 128),
    logit_bias: biases,
    // What OpenAI's API does not have.
    top_k: whole(0), min_p: number(0, 1), repetition_penalty: number(0.01, 100),
    repeat_penalty: number(0.01, 100), response_format: object,
    grammar: text, regex: text, choices, cache_prompt: flag, signal, abortSignal: signal,
};

/** What says nothing of the text. */
export const NO_EFFECT = ['user', 'safety_identifier', 'prompt_cache_key', 'prompt_cache_retention',
    'prompt_cache_options', 'metadata', 'store', 'service_tier'];

/** @type {Record<string, import('./fields.js').Kind>} */
export const ONLY = {ignore_eos: oneOf(false)};

/**
 * @param {any[]} ids   of tokens, perhaps among texts
 * @param {number} nVocab
 * @param {string} name   of their field
 */
export function inVocabulary(ids, nVocab, name) {
    const odd = ids.flat().find((id) => !isText(id) && id >= nVocab);
    if (odd !== undefined)
        refuse(`Invalid '${name}': the token ${odd} is outside of the vocabulary of ${nVocab}.`, name);
}

/** @param {Record<string, any>} given @param {string} name @param {string} other   says the same */
export function onlyOne(given, name, other) {
    if (given[name] !== undefined && given[other] !== undefined)
        refuse(`'${name}' and '${other}' are the same; give one of them.`, name);
}

/**
 * Sampling, stop strings, and what the answer must be.
 * @param {Record<string, any>} given   checked fields
 * @param {number} nVocab
 */
export function toOptions(given, nVocab) {
    inVocabulary(Object.keys(given.logit_bias ?? {}).map(Number), nVocab, 'logit_bias');
    onlyOne(given, 'repeat_penalty', 'repetition_penalty');
    if (given.stream_options !== undefined && !given.stream) {
        refuse("The 'stream_options' parameter is only allowed when 'stream' is enabled.", 'stream_options');
    }
    const biases = Object.entries(given.logit_bias ?? {})
        .map(([id, bias]) => [id, bias === -100 ? -Infinity : bias]);
    return {
        sampling: {
            temperature: given.temperature, topP: given.top_p, topK: given.top_k, minP: given.min_p,
            presencePenalty: given.presence_penalty,
            frequencyPenalty: given.frequency_penalty, repeatPenalty: given.repetition_penalty
                ?? given.repeat_penalty,
            logitBias: Object.fromEntries(biases),
        },
        stop: given.stop,
        ...readConstraint(given),
    };
}

/**
 * The seed of a choice.
 * @param {number | undefined} seed
 * @param {number} index
 * @returns {number | undefined}
 */
export const seedOf = (seed, index) => seed === undefined ? undefined
    : (((seed % SEEDS + index * SEED_STEP) % SEEDS) + SEEDS) % SEEDS;

/**
 * @param {Record<string, any>} given
 * @returns {{constraint?: import('../../gemma.js').ConstraintOptions, constraintParam?: string}}
 */
function readConstraint({response_format: format, grammar, regex, choices}) {
    // Clients of llama.cpp send an empty grammar where there is none.
    const all = Object.entries({response_format: readFormat(format), grammar: grammar && {grammar},
        regex: regex && {regex}, choices: choices && {choices}})
        .filter(([, constraint]) => constraint);
    if (!all.length) return {};
    if (all.length > 1) refuse(
        `'${all[0][0]}' and '${all[1][0]}' both say what the answer must be; give one of them.`, all[1][0]);
    return {constraint: all[0][1] || undefined, constraintParam: all[0][0]};
}

/**
 * @param {Record<string, any> | undefined} format
 * @returns {import('../../gemma.js').ConstraintOptions | undefined}
 */
function readFormat(format) {
    if (!format) return undefined;
    switch (format.type) {
        case 'text': return undefined;
        case 'json_object': return {schema: {type: 'object', ...readJson(format.schema)}};
        case 'json_schema': {
            const path = 'response_format.json_schema',
                {name, schema, strict} = need(path, format.json_schema, object);
            need(`${path}.name`, name, [
                (v) => isText(v) && /^[\w-]{1,64}$/.test(v), 'a string of 1 to 64 letters, digits, _ and -',
            ]);
            need(`${path}.schema`, schema, object);
            need(`${path}.strict`, strict ?? false, flag);
            return {schema: strict ? closed(schema) : schema};
        }
        case 'grammar': return {grammar: need('response_format.grammar', format.grammar, text)};
        default: return void need('response_format.type', format.type,
            oneOf('text', 'json_object', 'json_schema', 'grammar'));
    }
}

/** A schema as an object or as its JSON. @param {any} schema @returns {Record<string, any>} */
function readJson(schema) {
    if (!isText(schema)) return schema === undefined || schema === null ? {}
        : need('response_format.schema', schema, object);
    try {
        const read = need('response_format.schema', JSON.parse(schema), object);
        if (!isTooDeep(read)) return read;
    } catch {
    }
    return need('response_format.schema', schema, object);     // which refuses it
}

/** What says of an object which members it has. */
const SAYS = ['properties', 'allOf', 'anyOf', 'oneOf', '$ref', 'patternProperties', 'additionalProperties',
    'unevaluatedProperties', 'if'];

/** What holds schemas: by name, in a list, or one. */
const MAPS = ['properties', 'patternProperties', '$defs', 'definitions'];
const LISTS = ['allOf', 'anyOf', 'oneOf', 'prefixItems'], ONES = ['items', 'additionalProperties'];

/**
 * A strict schema: an object has the properties that it names, and no others. Where other keywords say more
 * of an object, it is left as it is.
 * @param {any} schema
 * @param {boolean} [isPart]   another one says more of the same object
 * @returns {any}
 */
export function closed(schema, isPart = false) {
    if (!isObject(schema)) return schema;
    const hasOwn = isObject(schema.properties),
        says = SAYS.filter((name) => schema[name] !== undefined);
    const made = Object.entries(schema).map(([name, value]) => {
        if (MAPS.includes(name) && isObject(value)) value = Object.fromEntries(Object.entries(value)
            .map(([key, each]) => [key, closed(each)]));
        else if (LISTS.includes(name) && Array.isArray(value))
            value = value.map((each) => closed(each,
                name !== 'prefixItems' && (isPart || name === 'allOf' || says.length > 1)));
        else if (ONES.includes(name)) value = closed(value);
        return [name, value];
    });
    if (hasOwn && !isPart && says.length === 1)
        made.push(['additionalProperties', false]);
    return Object.fromEntries(made);
}

/** @type {import('./fields.js').Kind} */
const parts = [(v) => isText(v) || Array.isArray(v), 'a string, or an array of parts'];

/**
 * Text, or an array of parts {type: 'text', text}.
 * @param {string} path
 * @param {any} content
 * @param {string[]} [types]
 * @returns {string}
 */
export function readText(path, content, types = ['text']) {
    need(path, content, parts);
    if (isText(content)) return content;
    return [...content].map((/** @type {any} */ part, /** @type {number} */ i) => {
        const type = need(`${path}[${i}].type`, part?.type, text);
        if (!types.includes(type)) {
            refuse(`Invalid value for '${path}[${i}].type': this model reads text only, found '${type}'.`,
                `${path}[${i}].type`, 'unsupported_value');
        }
        return need(`${path}[${i}].${type}`, part[type], text);
    }).join('');
}

export {list};
