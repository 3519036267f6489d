// What a file says of a conversation, made into what is kept: types, lengths, ids, parents. Everything in it
// may be wrong. Pure.

/**
 * @typedef {import('../types.js').Summary} Summary
 * @typedef {import('../types.js').Message} Message
 *
 * @typedef {object} Raw   a conversation as an importer read it, with the ids of its source; any value may
 *     be of any type
 * @property {string} source      in the ids that are made: which program it is of
 * @property {unknown} id
 * @property {unknown} [kind]
 * @property {unknown} [title]
 * @property {unknown} [isTitled]
 * @property {unknown} [created]  milliseconds, as all times
 * @property {unknown} [updated]
 * @property {unknown} [pinned]
 * @property {unknown} [folder]
 * @property {unknown} [model]
 * @property {unknown} [settings]
 * @property {unknown} [leaf]
 * @property {unknown} [text]     of a document
 * @property {RawMessage[]} messages
 *
 * @typedef {object} RawMessage
 * @property {unknown} id
 * @property {unknown} parent
 * @property {unknown} role
 * @property {unknown} content
 * @property {unknown} [created]
 * @property {unknown} [state]
 * @property {unknown} [model]
 * @property {unknown} [seed]
 * @property {unknown} [finishReason]
 * @property {unknown} [figures]
 * @property {unknown} [attachments]
 * @property {unknown} [toolCalls]
 * @property {unknown} [parts]
 * @property {unknown} [readTo]
 * @property {unknown} [lastAt]
 * @property {boolean} [isHidden]   it is left out; what follows it follows the one before
 *
 * @typedef {import('../bring.js').Whole} Whole   a conversation as it is kept
 */

import {seen, titleOf} from '../titles.js';
import {newestLeafBelow} from '../tree.js';

const ROLES = new Set(['system', 'user', 'assistant', 'tool']),
    STATES = new Set(['done', 'stopped', 'failed']);
/** Characters. */
const LONGEST_TITLE = 200, LONGEST_NAME = 300;
export const LONGEST_CONTENT = 10_000_000;       // as what is attached may have (files/reading.js)
/** Of ids that stay as they are. */
const ID = /^[\w.-]{1,100}$/, LONGEST_PREFIX = 80;
/** In the year 5138. */
const LAST = 1e14;
/** Levels and entries of what is kept as it is. */
const DEEPEST = 8, MOST = 1000;

/** @param {unknown} value @returns {Record<string, unknown>} */
export const asObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)
    ? /** @type {Record<string, unknown>} */ (value) : {};
/** @param {unknown} value @returns {unknown[]} */
export const asList = (value) => Array.isArray(value) ? value : [];
/** @param {unknown} value @returns {string} */
export const asText = (value) => typeof value === 'string' ? value : '';
/** @param {unknown} value */
const asWord = (value) => typeof value === 'number' ? `${value}` : asText(value);
/** @param {unknown} value @param {number} other */
const asNumber = (value, other) => typeof value === 'number' && Number.isFinite(value) ? value : other;
/** @param {unknown} value @returns {value is number} */
const isIndex = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
/** @param {unknown} value @param {number} other */
const asTime = (value, other) => Math.min(LAST, Math.max(0, Math.floor(asNumber(value, other))));
/** @param {unknown} value */
const asName = (value) => asText(value).slice(0, LONGEST_NAME).toWellFormed();

/** 53 bits of a text. @param {string} text */
export function hashOf(text) {
    let a = 0xdeadbeef, b = 0x41c6ce57;
    for (let i = 0; i < text.length; i++) {
        const code = text.charCodeAt(i);
        a = Math.imul(a ^ code, 2654435761);
        b = Math.imul(b ^ code, 1597334677);
    }
    a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
    b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
    return ((b & 0x1fffff) * 2 ** 32 + (a >>> 0)).toString(36).padStart(11, '0');
}

/**
 * JSON as it is, without what is too deep, and without names that mean something to JavaScript.
 * @param {unknown} value
 * @param {number} [depth]
 * @returns {unknown}
 */
export function plain(value, depth = 0) {
    if (typeof value === 'string') return value.slice(0, LONGEST_CONTENT);
    if (typeof value !== 'object' || value === null) return value;
    if (depth > DEEPEST) return null;
    if (Array.isArray(value)) return value.slice(0, MOST).map((each) => plain(each, depth + 1));
    const entries = Object.entries(value).slice(0, MOST).filter(([key]) => key !== '__proto__');
    return Object.fromEntries(entries.map(([key, each]) => [key, plain(each, depth + 1)]));
}

/** Numbers by their names, whichever there are. @param {unknown} figures @returns {Message['figures']} */
function cleanFigures(figures) {
    const numbers = Object.entries(asObject(figures)).slice(0, MOST)
        .filter(([key, value]) => /^\w+$/.test(key) && key !== '__proto__' && asNumber(value, -1) >= 0);
    const {tokens, ...more} = Object.fromEntries(/** @type {[string, number][]} */ (numbers));
    return tokens === undefined
        ? undefined
        : {cachedTokens: 0, promptTokens: 0, decodeTokens: 0, decodeMs: 0, prefillMs: 0, ...more, tokens};
}

/** @param {unknown} readTo @returns {Message['readTo']} */
function cleanReadTo(readTo) {
    const {file, end} = asObject(readTo);
    return isIndex(file) && isIndex(end) ? {file, end} : undefined;
}

/** @param {unknown} attachments @returns {Message['attachments']} */
function cleanAttachments(attachments) {
    const all = asList(attachments).slice(0, MOST).map(asObject)
        .map(({name, type, size, tokens, text, how, asked}) => ({
        name: asName(name), type: asName(type), size: Math.max(0, asNumber(size, asText(text).length)),
        text: asText(text).slice(0, LONGEST_CONTENT),
        ...typeof tokens === 'number' && tokens >= 0 && {tokens},
        .../^(first|parts|search|found)$/.test(asText(how)) && {how: /** @type {'first'} */ (how)},
        ...typeof asked === 'string' && {asked: asked.slice(0, LONGEST_CONTENT)},
    }));
    return all.length ? all : undefined;
}

/** Only what is there. @template {object} T @param {T} object @returns {T} */
const defined = (object) => /** @type {T} */ (Object.fromEntries(Object.entries(object)
    .filter(([, value]) => value !== undefined)));

/**
 * For each message the nearest one before it that is kept, also along cycles.
 * @param {Map<string, RawMessage>} all @param {(raw: RawMessage) => boolean} isKept
 * @returns {(id: unknown) => string | null}
 */
function keptAncestors(all, isKept) {
    /** @type {Map<string, string | null>} */
    const known = new Map();
    return (id) => {
        /** @type {string[]} */
        const way = [];
        let at = asText(id);
        /** @type {string | null | undefined} */
        let found;
        for (let raw = all.get(at); found === undefined; raw = all.get(at)) {
            if (!raw || way.length > all.size) found = null;
            else if (isKept(raw)) found = at;
            else if (known.has(at)) found = known.get(at) ?? null;
            else {
                way.push(at);
                at = asText(raw.parent);
            }
        }
        for (const each of way) known.set(each, found);
        return found;
    };
}

/** Parents without cycles: of those that are below themselves, the first is a root. @param {Message[]} messages */
function cutCycles(messages) {
    const places = new Map(messages.map((message, i) => [message, i])), ends = new Set(),
        byId = new Map(messages.map((message) => [message.id, message])),
        parentOf = (/** @type {Message} */ {parent}) => parent === null ? undefined : byId.get(parent);
    for (const message of messages) {
        /** @type {Set<Message>} */
        const way = new Set();
        let at = /** @type {Message | undefined} */ (message);
        for (; at && !ends.has(at) && !way.has(at); at = parentOf(at)) way.add(at);
        if (at && way.has(at)) {
            const all = [...way], cycle = all.slice(all.indexOf(at));
            cycle.reduce((a, b) => Number(places.get(a)) < Number(places.get(b)) ? a : b).parent = null;
        }
        for (const each of way) ends.add(each);
    }
}

/**
 * @param {Raw} raw
 * @returns {Whole & {unread: number} | undefined} undefined where it has nothing to keep. The same conversation
 *     always gets the same ids. unread: messages that are none
 */
export function cleanConversation(raw) {
    const all = new Map(raw.messages.flatMap((each) => typeof each.id === 'string'
        ? [/** @type {[string, RawMessage]} */ ([each.id, each])] : []));
    const isKept = (/** @type {RawMessage} */ {isHidden, role, content, attachments, toolCalls}) => !isHidden
        && ROLES.has(asText(role)) && typeof content === 'string' &&
        (content !== '' || asList(attachments).length > 0 || asList(toolCalls).length > 0
            || raw.source === '');
    const kept = [...all.values()].filter(isKept), isDocument = raw.kind === 'document', now = Date.now();
    if (!kept.length && !isDocument && (raw.source !== '' || raw.messages.length)) return undefined;
    const unread = raw.messages.filter(({id, isHidden, role, content}) => !isHidden
        && (typeof id !== 'string' || !ROLES.has(asText(role)) || typeof content !== 'string')).length;
    const given = asText(raw.id),
        key = given || [raw.title, raw.created, ...kept.map(({content}) => content)].map(asWord).join('\n');
    const isOurs = raw.source === '' && ID.test(given);
    const id = isOurs ? given : `${raw.source || 'import'}-${ID.test(key) ? key : hashOf(key)}`;
    // What has no time anywhere has the same ids at each import all the same.
    const told = asTime(raw.created, asTime(kept.find((each) => Number.isFinite(each.created))?.created, 0)),
        created = told || now, ancestor = keptAncestors(all, isKept);
    const newId = idsOf(id, kept, told, isOurs);
    let time = created;
    const messages = kept.map((each) => {
        time = asTime(each.created, time);
        const parent = ancestor(each.parent);
        return cleanMessage(each, {id: newId(asText(each.id)) ?? '', conversation: id, parent: parent === null
            ? null : newId(parent) ?? null, created: time});
    });
    cutCycles(messages);
    const text = asText(raw.text), leaf = ancestor(raw.leaf),
        user = messages.find(({role}) => role === 'user');
    const title = seen(asText(raw.title).slice(0, LONGEST_TITLE).replace(/\s+/g, ' ').toWellFormed()),
        {id: modelId, name} = asObject(raw.model);
    /** @type {Summary} */
    const summary = {
        id, kind: isDocument ? 'document' : 'chat', title: title || titleOf(isDocument ? text : user?.content
            ?? ''), isTitled: raw.isTitled === true && title !== '',
        created: Math.min(now, created), updated: Math.min(now, asTime(raw.updated, time)),
        pinned: raw.pinned === true, folder: seen(asName(raw.folder)),
        leaf: newId(leaf ?? '') ?? newestLeafBelow(messages, null),
        messages: messages.length, ...typeof modelId === 'string'
            && {model: {id: modelId.slice(0, 4000), name: asName(name)}},
        ...raw.settings !== undefined && {settings: asObject(plain(raw.settings))},
    };
    return {
        summary, messages, unread, ...isDocument && {text, apart: `${id.slice(0, LONGEST_PREFIX)}-${hashOf(text)}`},
    };
}

/**
 * Ids in the order of their messages, the same at each import.
 * @param {string} conversation @param {RawMessage[]} kept @param {number} created @param {boolean} isOurs
 * @returns {(id: string) => string | undefined}
 */
function idsOf(conversation, kept, created, isOurs) {
    let time = created;
    const ids = new Map(kept.map((each, i) => {
        time = asTime(each.created, time);
        const id = asText(each.id), own = id.slice(conversation.length + 1);
        if (isOurs && id.startsWith(`${conversation}/`) && ID.test(own)) return [id, id];
        return [id, `${conversation}/${(time * 1000 || i).toString(36).padStart(10, '0')}${hashOf(id)}`];
    }));
    return (id) => ids.get(id);
}

/**
 * @param {RawMessage} raw
 * @param {Pick<Message, 'id' | 'conversation' | 'parent' | 'created'>} where
 * @returns {Message}
 */
function cleanMessage({role, content, state, model, seed, finishReason, figures, attachments, toolCalls,
    parts, readTo, lastAt}, where) {
    const calls = asList(toolCalls), answers = asList(parts).map(asText);
    return defined({
        ...where, role: /** @type {Message['role']} */ (role), content: asText(content),
        state: /** @type {Message['state']} */ (STATES.has(asText(state)) ? state : state === 'writing'
            ? 'stopped' : 'done'),
        model: typeof model === 'string' && model ? asName(model) : undefined, seed: typeof seed === 'number'
            && Number.isFinite(seed) ? seed : undefined,
        finishReason: typeof finishReason === 'string' ? asName(finishReason) : undefined,
        figures: cleanFigures(figures), attachments: cleanAttachments(attachments),
        ...answers.length && {parts: answers, readTo: cleanReadTo(readTo)},
        lastAt: isIndex(lastAt) ? lastAt : undefined, toolCalls: calls.length
            ? /** @type {unknown[]} */ (plain(calls)) : undefined,
    });
}
