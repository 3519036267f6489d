// options.js: what callers may give, by name and kind. An option that is null or undefined counts as not
// given; a name that is not known is refused, so that a misspelt one never goes unseen. Knows no meanings:
// ranges are checked where they are used.

import {MAX_LOGPROBS} from './constants.js';
import {GemmaError} from './error.js';
import {isA} from './kinds.js';

/** @param {any} v */
const isWhole = (v) => Number.isSafeInteger(v) && v >= 0;
/** @param {any} v @returns {v is string} */
const isText = (v) => typeof v === 'string';
/** @param {any} v */
const isObject = (v) => typeof v === 'object' && !Array.isArray(v);

/** @typedef {[is: (value: any) => boolean, expected: string]} Kind @type {Kind} */
const text = [isText, 'a string'];
/** @type {Kind} */
const flag = [(v) => typeof v === 'boolean', 'true or false'];
/** @type {Kind} */
const number = [Number.isFinite, 'a number'];
/** @type {Kind} */
const whole = [isWhole, 'a whole number from 0'];
/** @type {Kind} */
const list = [Array.isArray, 'an array'];
/** @type {Kind} */
const object = [isObject, 'an object'];
/** @type {Kind} */
const listener = [(v) => typeof v === 'function', 'a function'];
/** @type {Kind} */
const signal = [(v) => typeof v.addEventListener === 'function' && typeof v.aborted === 'boolean',
    'an AbortSignal'];
/** @param {string[]} words @returns {Kind} */
const oneOf = (...words) => [(v) => words.includes(v), words.join(' or ')];

/** @type {Kind} */
const logprobs = [(v) => isWhole(v) && v <= MAX_LOGPROBS, `a whole number from 0 to ${MAX_LOGPROBS}`];

/** @type {Kind} */
const toolChoice = [(v) => ['auto', 'none', 'required'].includes(v) || isText(v?.name),
    'auto, none, required or {name}'];

/** @type {Record<string, Kind>} */
const OVERFLOW = {overflow: oneOf('error', 'drop-oldest'), pinned: whole, onOverflow: listener};
/** @type {Record<string, Kind>} */
const WATCHED = {signal, onProgress: listener};
/** @type {Record<string, Kind>} */
const ORIGIN = {urls: list, headers: [(v) => isObject(v) && Object.values(v).every(isText),
    'an object of strings'], manifest: [(v) => isText(v) || isObject(v), 'an address or an object'],
    sha256: text};

/** @type {Record<string, Record<string, Kind>>} by what takes them */
export const OPTIONS = {
    load: {
        ...WATCHED, ...ORIGIN, update: flag, shared: flag, speed: flag, threads: whole, contextLength: whole,
        chat: flag, variant: oneOf('simd128', 'relaxed'), dot: oneOf('i32', 'i16'),
        memory64: flag, kvType: oneOf('f16', 'int8'), exact: flag,
        sessions: [(v) => Number.isSafeInteger(v) && v >= 1, 'a whole number from 1'],
        baseUrl: [(v) => isText(v) || isA(v, 'URL'), 'an address'],
    },
    session: {system: text, history: list, sampling: object, ...OVERFLOW},
    prompt: {
        ...WATCHED, raw: flag, sampling: object, logprobs, promptLogprobs: logprobs,
        promptLogprobsFrom: whole, stateless: flag, maxTokens: [(v) => isWhole(v) || v === Infinity,
            'a whole number from 0'],
        stop: [(v) => [v].flat().every(isText), 'a string or an array of strings'],
        constraint: object, tools: list,
        toolChoice, onToolCall: listener, parallelToolCalls: flag, onText: listener,
    },
    constraint: {
        schema: [(v) => isObject(v) || typeof v === 'boolean', 'an object, or true or false'],
        regex: [(v) => isText(v) || isA(v, 'RegExp'), 'a string or a RegExp'],
        choices: [(v) => Array.isArray(v) && v.length > 0 && v.every(isText), 'an array of strings'],
        grammar: text, whitespace: oneOf('none', 'space', 'free'),
    },
    sampling: {
        temperature: number, topK: whole, topP: number, minP: number, repeatPenalty: number,
        presencePenalty: number, frequencyPenalty: number,
        seed: whole,
        logitBias: [(v) => isObject(v) && Object.entries(v).every(([id, bias]) => /^(0|[1-9]\d{0,8})$/.test(id)
            && typeof bias === 'number' && !Number.isNaN(bias)),
            'an object of token ids and numbers'],
    },
    tokenize: {bos: flag, special: flag, maxTokens: whole},
    tokenBytes: {special: flag},
    embed: {signal},
    append: WATCHED,
    count: {tools: list, toolChoice},
    restore: OVERFLOW,
    clone: {onOverflow: listener},
    save: {},
    verify: WATCHED,
    repair: {...WATCHED, ...ORIGIN},
    compare: {...WATCHED, ...ORIGIN},
    manifest: WATCHED,
    export: {...WATCHED, writable: object},
    import: {...WATCHED, id: text, name: text, manifest: object, replace: flag},
};

/**
 * The options that were given.
 * @param {string} taker   a key of OPTIONS, or what `kinds` are of
 * @param {Record<string, any> | null} [given]
 * @param {Record<string, Kind>} [kinds]
 * @returns {Record<string, any>} rejects what is unknown or of another kind by GemmaError 'bad-argument'
 */
export function readOptions(taker, given, kinds = OPTIONS[taker]) {
    /** @type {Record<string, any>} */
    const options = {};
    if (!isObject(given ?? {}))
        throw new GemmaError('bad-argument',
            `The options of ${taker} are ${show(given)}; expected an object.`);
    for (const [name, value] of Object.entries(given ?? {})) {
        if (value === undefined || value === null) continue;
        if (!Object.hasOwn(kinds, name)) {
            throw new GemmaError('bad-argument',
                `${taker} has no option ${name}; it takes ${Object.keys(kinds).join(', ') || 'none'}.`);
        }
        const [is, expected] = kinds[name];
        if (!is(value)) throw new GemmaError('bad-argument',
            `${name} is ${show(value)}; expected ${expected}.`);
        options[name] = value;
    }
    return options;
}

/** A value in a sentence. @param {any} value @returns {string} */
export function show(value) {
    if (Array.isArray(value))
        return `[${value.slice(0, 8).map((v) => Array.isArray(v) ? 'an array' : show(v)).join(', ')}]`;
    if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}`;
    if (value && isObject(value)) return 'an object';
    return isText(value) ? `'${value.slice(0, 40)}'` : String(value);
}
