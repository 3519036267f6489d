// Conversations of ChatGPT's export: a tree of nodes in `mapping`, many of which nobody saw. Pure.

import {asList, asObject, asText} from './clean.js';

/** @typedef {import('./clean.js').Raw} Raw @typedef {import('./clean.js').RawMessage} RawMessage */

/** What people saw of a message, by the type of its content. */
const SEEN = new Set(['text', 'multimodal_text', 'code', 'execution_output', '']);
/** References to sources, which are drawn as links there: between characters of private use, or in heavy brackets. */
const REFERENCES = /\ue200[^\ue200\ue201]{0,1000}\ue201|【[^【】]{0,40}†[^【】]{0,200}】/g;
const CANVAS = 'canmore.create_textdoc';

/** Seconds. @param {unknown} time */
const asTime = (time) => typeof time === 'number' ? time * 1000 : undefined;

/** @param {Record<string, unknown>} object */
export const isChatGpt = ({mapping}) => typeof mapping === 'object' && mapping !== null && !Array.isArray(mapping);

/** @param {Record<string, unknown>} object @returns {Raw} */
export function readChatGpt({id, conversation_id, title, create_time, update_time, mapping, current_node, is_starred, pinned_time}) {
    const messages = Object.entries(asObject(mapping)).map(([key, node]) => readNode(key, asObject(node)));
    return {
        source: 'chatgpt', id: conversation_id ?? id, title, created: asTime(create_time), updated: asTime(update_time), leaf: current_node, messages,
        pinned: is_starred === true || typeof pinned_time === 'number',
    };
}

/** @param {string} id @param {Record<string, unknown>} node @returns {RawMessage} */
function readNode(id, node) {
    const message = asObject(node.message), metadata = asObject(message.metadata), content = asObject(message.content);
    const role = asText(asObject(message.author).role), recipient = asText(message.recipient) || 'all', type = asText(content.content_type);
    const text = textOf(content, type, role === 'assistant' ? recipient : 'all');
    // Calls of tools and their results are noise, but for a document and for code with what it printed.
    const isShown = role === 'user' || role === 'assistant' && (recipient === 'all' || recipient === 'python' || recipient === CANVAS) ||
        role === 'tool' && type === 'execution_output';
    const isHidden = metadata.is_visually_hidden_from_conversation === true || metadata.is_user_system_message === true || !SEEN.has(type) || !isShown;
    const end = asText(asObject(metadata.finish_details).type), isCut = end === 'interrupted' || message.status === 'in_progress';
    return {
        id, parent: node.parent, role, content: text, created: asTime(message.create_time), isHidden, state: isCut ? 'stopped' : 'done',
        model: role === 'assistant' ? metadata.model_slug : undefined, attachments: attachmentsOf(content, metadata),
    };
}

/** @param {Record<string, unknown>} content @param {string} type @param {string} recipient */
function textOf(content, type, recipient) {
    const parts = asList(content.parts).map((part) => typeof part === 'string' ? part : asText(asObject(part).text));
    const text = parts.filter((part) => part).join('\n\n') || asText(content.text);
    if (recipient === CANVAS) return documentOf(text);
    if (type === 'code') return fenced(text, recipient === 'all' ? asText(content.language) : recipient);
    return type === 'execution_output' ? text : text.replace(REFERENCES, '');
}

/** A fence that is longer than any within. @param {string} text @param {string} language */
function fenced(text, language) {
    const longest = (text.match(/`{3,}/g) ?? []).reduce((length, fence) => Math.max(length, fence.length), 2), fence = '`'.repeat(longest + 1);
    return `${fence}${language === 'unknown' ? '' : language}\n${text}\n${fence}`;
}

/** What was written beside the conversation. @param {string} text   JSON of it */
function documentOf(text) {
    try {
        const {name, type, content} = asObject(JSON.parse(text)), language = /^code\/(\w+)$/.exec(asText(type))?.[1];
        return `**${asText(name)}**\n\n${language ? fenced(asText(content), language) : asText(content)}`;
    } catch {
        return text;
    }
}

/** @param {Record<string, unknown>} content @param {Record<string, unknown>} metadata */
function attachmentsOf(content, metadata) {
    const files = asList(metadata.attachments).map(asObject).map(({name, mime_type, mimeType, size}) => ({name, type: mime_type ?? mimeType, size}));
    const images = asList(content.parts).map(asObject).filter(({content_type}) => content_type === 'image_asset_pointer');
    // An image that a person attached is in both.
    return files.length ? files : images.map(({size_bytes}) => ({name: 'image', type: 'image', size: size_bytes}));
}
