// messages.js: a chat request's messages and tools as gemma.js takes them. Knows no answers.

import {refuse} from './errors.js';
import {flag, isObject, isTooDeep, list, need, object, oneOf, text} from './fields.js';
import {closed, readText} from './request.js';

/**
 * @typedef {import('../../gemma.js').Message} Message
 * @typedef {import('../../gemma.js').Tool} Tool
 */

/** @param {any[]} given @returns {Message[]} */
export function readMessages(given) {
    if (!given.length) refuse("Invalid 'messages': at least one is expected.", 'messages');
    /** The names of calls by their ids. @type {Map<string, string>} */
    const calls = new Map();
    return given.map((message, i) => readMessage(`messages[${i}]`, need(`messages[${i}]`, message, object),
        calls));
}

/**
 * @param {string} path
 * @param {Record<string, any>} message
 * @param {Map<string, string>} calls
 * @returns {Message}
 */
function readMessage(path, message, calls) {
    const role = need(`${path}.role`, message.role, oneOf('system', 'developer', 'user', 'assistant',
        'tool')), at = `${path}.content`;
    for (const name of ['audio', 'function_call']) {
        if (message[name] !== undefined && message[name] !== null)
            refuse(`'${path}.${name}' is not supported here.`, `${path}.${name}`, 'unsupported_parameter');
    }
    switch (role) {
        case 'user': return {role, content: readText(at, message.content)};
        case 'assistant': return readAssistant(path, message, calls);
        case 'tool': {
            const id = need(`${path}.tool_call_id`, message.tool_call_id, text), name = calls.get(id);
            if (name === undefined) {
                refuse(`'${path}.tool_call_id' is '${id}', of no tool call before it.`,
                    `${path}.tool_call_id`);
            }
            return {role, name, content: readText(at, message.content)};
        }
        default: return {role: 'system', content: readText(at, message.content)};
    }
}

/**
 * @param {string} path
 * @param {Record<string, any>} message
 * @param {Map<string, string>} calls
 * @returns {Message}
 */
function readAssistant(path, {content, refusal, tool_calls: given}, calls) {
    const said = content ?? refusal ?? (given?.length ? '' : undefined);
    const toolCalls = [...need(`${path}.tool_calls`, given ?? [],
        list)].map((/** @type {any} */ call, /** @type {number} */ i) => {
        const at = `${path}.tool_calls[${i}]`, id = need(`${at}.id`, call?.id, text);
        need(`${at}.type`, call.type ?? 'function', oneOf('function'));
        const {name, arguments: json} = need(`${at}.function`, call.function, object);
        calls.set(id, need(`${at}.function.name`, name, text));
        return {name, arguments: readArguments(`${at}.function.arguments`, json)};
    });
    return {role: 'assistant', content: readText(`${path}.content`, said, ['text', 'refusal']),
        ...toolCalls.length && {toolCalls}};
}

/**
 * What a model wrote may be cut: it sees it again, as text.
 * @param {string} path @param {any} json @returns {Record<string, any>}
 */
function readArguments(path, json) {
    let value;
    try {
        value = JSON.parse(need(path, json, text) || '{}');
    } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
    }
    return isObject(value) && !isTooDeep(value) ? value : {invalid: json};
}

/**
 * Tools, and which of them may be called.
 * @param {Record<string, any>} given
 * @returns {{tools?: Tool[], toolChoice?: 'auto' | 'none' | 'required' | {name: string},
 *     parallelToolCalls?: boolean}}
 */
export function readTools({tools: given = [], tool_choice: choice = 'auto',
    parallel_tool_calls: parallelToolCalls}) {
    const all = given.map(readTool), {toolChoice, allowed} = readChoice(choice);
    if (!all.length) {
        if (!['auto', 'none'].includes(choice))
            refuse("'tool_choice' is only allowed when 'tools' are specified.", 'tool_choice');
        return {};
    }
    const wanted = typeof toolChoice === 'object' ? [toolChoice.name] : allowed ?? [];
    const odd = wanted.find((name) => !all.some((/** @type {Tool} */ tool) => tool.name === name));
    if (odd !== undefined) refuse(`'tool_choice' names '${odd}', which is not among 'tools'.`,
        'tool_choice');
    return {tools: allowed ? all.filter((/** @type {Tool} */ tool) => allowed.includes(tool.name)) : all,
        toolChoice, parallelToolCalls};
}

/** @param {any} tool @param {number} i @returns {Tool} */
function readTool(tool, i) {
    need(`tools[${i}].type`, tool?.type, oneOf('function'));
    const path = `tools[${i}].function`,
        {name, description, parameters, strict} = need(path, tool.function, object);
    need(`${path}.name`, name, text);
    need(`${path}.description`, description ?? '', text);
    need(`${path}.parameters`, parameters ?? {}, object);
    need(`${path}.strict`, strict ?? false, flag);
    return {name, ...description && {description}, ...parameters && {parameters: strict ? closed(parameters)
        : parameters}};
}

/**
 * @param {any} choice
 * @returns {{toolChoice: 'auto' | 'none' | 'required' | {name: string}, allowed?: string[]}}
 */
function readChoice(choice) {
    if (!isObject(choice)) return {toolChoice: need('tool_choice', choice,
        oneOf('none', 'auto', 'required'))};
    if (need('tool_choice.type', choice.type, oneOf('function', 'allowed_tools')) === 'function') {
        return {toolChoice: {name: need('tool_choice.function.name', choice.function?.name, text)}};
    }
    const path = 'tool_choice.allowed_tools', {mode, tools} = need(path, choice.allowed_tools, object);
    const allowed = [...need(`${path}.tools`, tools,
        list)].map((/** @type {any} */ tool, /** @type {number} */ i) =>
        need(`${path}.tools[${i}].function.name`, tool?.function?.name, text));
    return {toolChoice: need(`${path}.mode`, mode, oneOf('auto', 'required')), allowed};
}
