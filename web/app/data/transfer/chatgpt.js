// Conversations of ChatGPT's export: a tree of nodes in `mapping`, many of which nobody saw. Pure.

import {asList, asObject, asText} from './clean.js';

/** @typedef {import('./clean.js').Raw} Raw @typedef {import('./clean.js').RawMessage} RawMessage */

/** What people saw of a message, by the type of its content. */
const SEEN = new Set(['text', 'multimodal_text', 'code', 'execution_output', '']);
/**
 * References to sources, which are drawn as links there, and names of persons and places: between characters
 * of private use, or in heavy brackets.
 */
const REFERENCES = /\ue200([^\ue200\ue201]{0,1000})\ue201|【[^【】]{0,40}†[^【】]{0,200}】|[\ue200-\ue206]/g;
/** What writes a document beside the conversation, and changes it. */
const CANVAS = 'canmore.create_textdoc', CANVAS_CHANGE = 'canmore.update_textdoc';
const SHOWN_CALLS = new Set(['all', 'python', CANVAS, CANVAS_CHANGE]);

/** Seconds. @param {unknown} time */
const asTime = (time) => typeof time === 'number' ? time * 1000 : undefined;

/** @param {Record<string, unknown>} object */
export const isChatGpt = ({mapping}) => typeof mapping === 'object' && mapping !== null
    && !Array.isArray(mapping);

/** @param {Record<string, unknown>} object @returns {Raw} */
export function readChatGpt({id, conversation_id, title, create_time, update_time, mapping, current_node,
    is_starred, pinned_time}) {
    const canvas = {language: ''},
        messages = Object.entries(asObject(mapping))
        .map(([key, node]) => readNode(key, asObject(node), canvas));
    return {
        source: 'chatgpt', id: conversation_id ?? id, title, created: asTime(create_time),
        updated: asTime(update_time), leaf: current_node, messages,
        pinned: is_starred === true || typeof pinned_time === 'number',
    };
}

/**
 * @typedef {{language: string}} Canvas   the document beside the conversation, as far as it was read: of
 *     code, its language; '' of prose
 */

/** @param {string} id @param {Record<string, unknown>} node @param {Canvas} canvas @returns {RawMessage} */
function readNode(id, node, canvas) {
    const message = asObject(node.message), metadata = asObject(message.metadata),
        content = asObject(message.content);
    const role = asText(asObject(message.author).role), recipient = asText(message.recipient) || 'all',
        type = asText(content.content_type);
    const text = textOf(content, type, role === 'assistant' ? recipient : 'all', canvas);
    // Calls of tools and their results are noise, but for a document and for code with what it printed.
    const isShown = role === 'user' || role === 'assistant' && SHOWN_CALLS.has(recipient) ||
        role === 'tool' && (type === 'execution_output' || asList(content.parts)
            .some((part) => asObject(part).content_type === 'image_asset_pointer'));
    const isHidden = metadata.is_visually_hidden_from_conversation === true
        || metadata.is_user_system_message === true || !SEEN.has(type) || !isShown;
    const end = asText(asObject(metadata.finish_details).type),
        isCut = end === 'interrupted' || message.status === 'in_progress';
    return {
        id, parent: node.parent, role, content: text, created: asTime(message.create_time), isHidden,
        state: isCut ? 'stopped' : 'done',
        model: role === 'assistant' ? metadata.model_slug : undefined,
        attachments: attachmentsOf(content, metadata),
    };
}

/**
 * @param {Record<string, unknown>} content
 * @param {string} type
 * @param {string} recipient
 * @param {Canvas} canvas
 */
function textOf(content, type, recipient, canvas) {
    const parts = asList(content.parts).map((part) => typeof part === 'string' ? part
        : asText(asObject(part).text));
    const text = parts.filter((part) => part).join('\n\n') || asText(content.text);
    if (recipient === CANVAS) return documentOf(text, canvas);
    if (recipient === CANVAS_CHANGE) return changesOf(text, canvas);
    if (type === 'code') return fenced(text, recipient === 'all' ? asText(content.language) : recipient);
    return type === 'execution_output' ? text : text.replace(REFERENCES, (_, inner) => nameIn(inner));
}

/** Of a reference, the words that were seen: those of a name. @param {string} [inner] */
function nameIn(inner = '') {
    const [kind, json = ''] = inner.split('\ue202');
    try {
        return kind === 'entity' ? asText(asList(JSON.parse(json))[1]) : '';
    } catch {
        return '';
    }
}

/** A fence that is longer than any within. @param {string} text @param {string} language */
function fenced(text, language) {
    const longest = (text.match(/`{3,}/g) ?? []).reduce((length, fence) => Math.max(length, fence.length), 2),
        fence = '`'.repeat(longest + 1);
    return `${fence}${language === 'unknown' ? '' : language}\n${text}\n${fence}`;
}

/** What was written beside the conversation. @param {string} text   JSON of it @param {Canvas} canvas */
function documentOf(text, canvas) {
    try {
        const {name, type, content} = asObject(JSON.parse(text));
        canvas.language = /^code\/(\w+)$/.exec(asText(type))?.[1] ?? '';
        return `**${asText(name)}**\n\n${shownIn(canvas, asText(content))}`;
    } catch {
        return text;
    }
}

/**
 * What was written in the place of something there: of the whole, mostly.
 * @param {string} text   JSON of it
 * @param {Canvas} canvas
 */
function changesOf(text, canvas) {
    try {
        const changes = asList(asObject(JSON.parse(text)).updates)
            .map((update) => asText(asObject(update).replacement));
        return changes.filter(Boolean).map((written) => shownIn(canvas, written)).join('\n\n');
    } catch {
        return text;
    }
}

/** @param {Canvas} canvas @param {string} text */
const shownIn = ({language}, text) => language ? fenced(text, language) : text;

/** @param {Record<string, unknown>} content @param {Record<string, unknown>} metadata */
function attachmentsOf(content, metadata) {
    const files = asList(metadata.attachments).map(asObject)
        .map(({name, mime_type, mimeType, size}) => ({name, type: mime_type ?? mimeType, size}));
    const images = asList(content.parts).map(asObject)
        .filter(({content_type}) => content_type === 'image_asset_pointer');
    // An image that a person attached is in both.
    return files.length ? files
        : images.map(({size_bytes}) => ({name: 'image', type: 'image', size: size_bytes}));
}
