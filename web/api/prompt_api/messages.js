// messages.js: what is prompted: as Web IDL takes it, then by the rules for roles, prefixes and kinds of
// content, then as the library's messages.

import {exception} from './errors.js';
import {isSequence, member, required, toDictionary, toEnum, toSequence, toText} from './webidl.js';

export const TYPES = /** @type {const} */ (['text', 'image', 'audio', 'tool-call', 'tool-response']);
const ROLES = /** @type {const} */ (['system', 'user', 'assistant']);

/**
 * @typedef {{type: typeof TYPES[number], value: any}} Content   value: a string, or an object of the platform
 * @typedef {{role: typeof ROLES[number], content: string | Content[], prefix: boolean}} Given
 * @typedef {{role: 'system' | 'user' | 'assistant', content: string}} Message
 * @typedef {{messages: Message[], isPrefix: boolean}} Prompt   isPrefix: the answer continues the last
 *   message
 */

/** Classes of the platform that are not made strings. */
const OBJECTS = [
    'ArrayBuffer',
    'SharedArrayBuffer',
    'Blob',
    'ImageData',
    'ImageBitmap',
    'VideoFrame',
    'AudioBuffer',
    'OffscreenCanvas',
    'HTMLImageElement',
    'HTMLCanvasElement',
    'HTMLVideoElement',
    'SVGImageElement',
];

/** @param {any} value */
function toValue(value) {
    const isPlatforms =
        ArrayBuffer.isView(value)
        || OBJECTS.some((name) => {
            const Class = /** @type {any} */ (globalThis)[name];
            return typeof Class === 'function' && value instanceof Class;
        });
    return isPlatforms ? value : toText(value);
}

/** @param {any} value @returns {Content} */
function toContent(value) {
    const content = toDictionary(value, "A part of a message's content");
    return {
        type: required(content, 'type', (each) => toEnum(each, TYPES, 'type')),
        value: required(content, 'value', toValue),
    };
}

/** @param {any} value @returns {Given} */
function toGiven(value) {
    const message = toDictionary(value, 'A message');
    const content = required(message, 'content', (each) =>
        isSequence(each) ? toSequence(each, toContent, 'content') : toText(each),
    );
    const prefix = member(message, 'prefix', Boolean) ?? false;
    return {role: required(message, 'role', (each) => toEnum(each, ROLES, 'role')), content, prefix};
}

/** @param {any} value @returns {Given[]} */
export const toMessages = (value) => toSequence(value, toGiven, 'A prompt');

/** @param {any} value @returns {string | Given[]} */
export const toInput = (value) => (isSequence(value) ? toMessages(value) : toText(value));

/** @param {Given} message @returns {string} */
function textOf({role, content}) {
    if (typeof content === 'string') return content;
    return content
        .map(({type, value}) => {
            if (type !== 'text')
                throw exception(
                    'NotSupportedError',
                    `This model takes text; a message of the role ${role} has a part of the type ${type}.`,
                );
            if (typeof value !== 'string') throw new TypeError('The value of a text must be a string.');
            return value;
        })
        .join('');
}

/**
 * By the specification's rules.
 * @param {string | Given[]} input @param {boolean} hasInput   the session has something already
 * @returns {Prompt}
 */
export function canonical(input, hasInput) {
    if (typeof input === 'string') return {messages: [{role: 'user', content: input}], isPrefix: false};
    if (!input.length) return {messages: [{role: 'user', content: ''}], isPrefix: false};
    const messages = input.map((message, i) => {
        if (message.prefix && (message.role !== 'assistant' || i < input.length - 1)) {
            throw exception(
                'SyntaxError',
                'Only the last message may be a prefix, and only of the role assistant.',
            );
        }
        if (message.role === 'system' && (hasInput || i > 0))
            throw new TypeError('A system message must be the first of all messages of a session.');
        return {role: message.role, content: textOf(message)};
    });
    return {messages, isPrefix: input[input.length - 1].prefix};
}

/**
 * The messages for a new answer. Where they end with the assistant's, the answer is a new message.
 * @param {Prompt} prompt
 * @returns {Message[]}
 */
export const toAsk = ({messages, isPrefix}) =>
    messages[messages.length - 1].role === 'assistant' && !isPrefix
        ? [...messages, {role: 'assistant', content: ''}]
        : messages;
