// Conversations of llama.cpp's web UI: {conv, messages} in JSON, or a line for each conversation and each
// message. Pure.

import {asList, asObject, asText} from './clean.js';

/**
 * @typedef {import('./clean.js').Raw} Raw
 * @typedef {import('./clean.js').RawMessage} RawMessage
 * @typedef {Record<string, unknown>} Json
 */

/** Earlier versions count their messages. @param {unknown} id */
const asId = (id) => typeof id === 'number' ? `${id}` : id;

/** @param {Json} object */
export const isLlamaCpp = ({conv, messages}) => typeof conv === 'object' && conv !== null
    && Array.isArray(messages);

/** @param {Json} conv @param {unknown[]} messages @returns {Raw} */
export function readLlamaCpp({id, name, lastModified, currNode}, messages) {
    return {source: 'llama', id, title: name, updated: lastModified, leaf: asId(currNode),
        messages: messages.map((each) => readMessage(asObject(each)))};
}

/** @param {Json} message @returns {RawMessage} */
function readMessage({id, parent, role, type, content, timestamp, model, thinking, reasoningContent,
    toolCalls, extra, timings}) {
    const thought = asText(reasoningContent) || asText(thinking),
        {cache_n, predicted_ms, predicted_n, prompt_ms, prompt_n} = asObject(timings);
    return {
        id: asId(id), parent: asId(parent), role, created: timestamp, model, content: thought
            ? `<think>\n${thought}\n</think>\n\n${asText(content)}` : content, isHidden: type === 'root',
        toolCalls: readCalls(toolCalls), attachments: asList(extra).map((each) => readExtra(asObject(each))),
        figures: {tokens: predicted_n, cachedTokens: cache_n, promptTokens: prompt_n,
            decodeTokens: predicted_n, decodeMs: predicted_ms, prefillMs: prompt_ms},
    };
}

/** @param {unknown} calls   a list, or JSON of one */
function readCalls(calls) {
    try {
        return asList(typeof calls === 'string' ? JSON.parse(calls || '[]') : calls).map((call) => {
            const {name, arguments: values} = asObject(asObject(call).function);
            return {name: asText(name), arguments: values};
        });
    } catch {
        return [];
    }
}

/** @param {Json} extra */
function readExtra({type, name, content, size, mimeType}) {
    return {name, type: asText(mimeType) || (typeof content === 'string' ? 'text/plain' : asText(type)), size,
        text: content};
}

/** Lines, of which one begins a conversation and those that follow are its messages. */
export class Lines {
    /** @type {{conv: Json, messages: unknown[]} | undefined} */
    #current;

    /** @param {Json} object */
    static isLine({type, message, mapping}) {
        return !mapping && (type === 'session' || type === 'message' && typeof message === 'object');
    }

    /** @param {Json} line @returns {Raw | undefined} the conversation before, once it is whole */
    add(line) {
        if (line.type === 'message') return void this.#current?.messages.push(line.message);
        const before = this.#current;
        this.#current = {conv: line, messages: []};
        return before && readLlamaCpp(before.conv, before.messages);
    }

    /** @returns {Raw | undefined} */
    end() {
        const current = this.#current;
        this.#current = undefined;
        return current && readLlamaCpp(current.conv, current.messages);
    }
}
