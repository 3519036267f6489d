// fields.js: reads a request's fields by a table of names and kinds. null counts as not given. What is not
// known or not supported is refused by its name, and a value of another kind or out of range by what is
// expected. Knows no meanings.

import {refuse} from './errors.js';

/**
 * @typedef {[is: (value: any) => boolean, expected: string, code?: string]} Kind
 * @typedef {object} Table
 * @property {Record<string, Kind>} fields
 * @property {string[]} noEffect                what changes nothing of an answer here: any value is accepted
 * @property {Record<string, Kind>} only        what is not supported but for these values, which mean the
 *     same as none
 * @property {string[]} unsupported             what OpenAI has and we have not
 */

/** @param {any} v @returns {v is Record<string, any>} */
export const isObject = (v) => typeof v === 'object' && v !== null && !Array.isArray(v);
/** @param {any} v @returns {v is string} */
export const isText = (v) => typeof v === 'string';

/** @type {Kind} */
export const text = [isText, 'a string'];
/** @type {Kind} */
export const flag = [(v) => typeof v === 'boolean', 'true or false'];
/** @type {Kind} */
export const object = [isObject, 'an object'];
/** @type {Kind} */
export const list = [Array.isArray, 'an array'];
/** @type {Kind} */
export const signal = [(v) => typeof v?.addEventListener === 'function', 'an AbortSignal'];
/** @type {Kind} */
export const never = [() => false, 'null'];
/** @param {number} low @param {number} high @returns {Kind} */
export const number = (low, high) => [(v) => typeof v === 'number' && v >= low && v <= high,
    `a number from ${low} to ${high}`];
/** @param {number} low @param {number} [high] @returns {Kind} */
export const whole = (low, high = Number.MAX_SAFE_INTEGER) => [
    (v) => Number.isInteger(v) && v >= low && v <= high,
    high === Number.MAX_SAFE_INTEGER ? `a whole number from ${low}` : `a whole number from ${low} to ${high}`,
];
/** @param {any[]} values @returns {Kind} */
export const oneOf = (...values) => [(v) => values.includes(v), values.map((v) => JSON.stringify(v))
    .join(' or ')];

const DEEPEST = 128;    // levels of lists and objects in a field: what reads them calls itself for each

/** Whether a value has more levels. @param {any} value */
export function isTooDeep(value) {
    let level = [value];
    for (let depth = 0; level.length; depth++) {
        if (depth > DEEPEST) return true;
        level = level.flatMap((one) => typeof one === 'object' && one !== null ? Object.values(one)
            .filter((each) => typeof each === 'object') : []);
    }
    return false;
}

/** A value in a sentence. @param {any} value */
function show(value) {
    if (Array.isArray(value)) return 'an array';
    if (isObject(value)) return 'an object';
    return isText(value) ? `'${value.slice(0, 40)}'` : String(value);
}

/**
 * @param {string} name   with its path: messages[0].content
 * @param {any} value @param {Kind} kind
 * @returns {any} the value; refuses another kind
 */
export function need(name, value, [is, expected]) {
    if (value === undefined || value === null)
        refuse(`Missing required parameter: '${name}'; ${expected} is expected.`, name,
            'missing_required_parameter');
    if (!is(value)) refuse(`Invalid value for '${name}': ${expected} is expected, found ${show(value)}.`,
        name);
    return value;
}

/**
 * @param {any} body   of a request
 * @param {Table} table
 * @returns {Record<string, any>} the fields that were given
 */
export function readFields(body, {fields, noEffect, only, unsupported}) {
    if (!isObject(body)) refuse(`The request is ${show(body)}; an object is expected.`, null);
    const {extra_body: extra, ...rest} = body;
    if (extra !== undefined && extra !== null) need('extra_body', extra, object);
    /** @type {Record<string, any>} */
    const given = {};
    for (const [name, any] of Object.entries({...rest, ...extra})) {
        // without holes, which JavaScript's arrays may have
        const value = Array.isArray(any) ? [...any] : any;
        if (value === undefined || value === null || noEffect.includes(name)) continue;
        if (Object.hasOwn(fields, name)) {
            if (isTooDeep(value)) refuse(`Invalid value for '${name}': it has more than ${DEEPEST} levels.`,
                name);
            given[name] = need(name, value, fields[name]);
        } else if (Object.hasOwn(only, name)) {
            const [is, expected] = only[name];
            if (!is(value))
                refuse(`Unsupported value: '${name}' is ${show(value)}; only ${expected} is supported here.`,
                    name, 'unsupported_value');
        } else if (unsupported.includes(name)) {
            refuse(`Unsupported parameter: '${name}' is not supported here.`, name, 'unsupported_parameter');
        } else {
            refuse(`Unrecognized request argument supplied: ${name}.`, name, 'unknown_parameter');
        }
    }
    return given;
}
