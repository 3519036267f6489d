// constraint.js: responseConstraint: a JSON Schema or a regular expression, as the library's constraint and
// as an instruction for the model.

import {exception} from './errors.js';

/**
 * @typedef {import('./messages.js').Message} Message
 * @typedef {{options: import('../../gemma.js').ConstraintOptions, told: string}} Constraint   told: to the
 *   model
 */

/** @param {object} given @returns {object} a copy */
function toSchema(given) {
    let text;
    try {
        text = JSON.stringify(given);
    } catch (error) {
        // Circular, or with a BigInt. What a getter throws is its own.
        throw error instanceof TypeError
            ? exception(
                  'NotSupportedError',
                  `responseConstraint can't be written as JSON: ${error.message}`,
                  error,
              )
            : error;
    }
    if (!text?.startsWith('{'))
        throw new TypeError('responseConstraint must be a RegExp or the object of a JSON Schema.');
    return JSON.parse(text);
}

/**
 * @param {object} given
 * @param {boolean} isPrefix   the answer has been begun by the caller
 * @returns {Constraint}
 */
export function toConstraint(given, isPrefix) {
    if (Object.prototype.toString.call(given) === '[object RegExp]') {
        const regex = /** @type {RegExp} */ (given);
        return {options: {regex}, told: `The answer must match this regular expression: ${regex.source}`};
    }
    const schema = toSchema(given);
    // A prefix has white space where its author likes it.
    return {
        options: {schema, ...(isPrefix && {whitespace: 'free'})},
        told: `The answer must be JSON of this schema: ${JSON.stringify(schema)}`,
    };
}

/**
 * Adds the instruction to the end of the user's last message.
 * @param {Message[]} messages
 * @param {string} told
 * @returns {Message[]}
 */
export function withTold(messages, told) {
    const at = messages.findLastIndex(({role}) => role === 'user');
    return messages.map((message, i) =>
        i === at ? {...message, content: `${message.content}\n\n${told}`} : message,
    );
}
