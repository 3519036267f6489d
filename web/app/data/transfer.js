// Export and import: everything as one JSON, a conversation as Markdown; exports of this app, of ChatGPT and
// of llama.cpp's web UI. Owns our format. What comes in is added to what there is: nothing is overwritten,
// and what is there already is not added again.
//
//   {"format": "gemma-wasm", "version": 1, "exported": time, "presets": [Preset...],
//    "conversations": [{...Summary, "messages": [Message...], "text": of a document}...]}

import {GemmaError, messageOf} from '../../base/error.js';
import {listPresets, savePreset} from './presets.js';
import {isChatGpt, readChatGpt} from './transfer/chatgpt.js';
import {asList, asObject, asText, cleanConversation, hashOf} from './transfer/clean.js';
import {Lines, isLlamaCpp, readLlamaCpp} from './transfer/llama_cpp.js';
import {recordsOf} from './transfer/records.js';
import {isZip, readZip} from './transfer/zip.js';

/**
 * @typedef {import('./conversations.js').Conversations} Conversations
 * @typedef {import('./types.js').Summary} Summary
 * @typedef {import('./types.js').Message} Message
 * @typedef {import('./transfer/clean.js').Raw} Raw
 * @typedef {import('./transfer/clean.js').Whole} Whole
 * @typedef {Partial<Record<Message['role'], string>>} Names   of the speakers
 * @typedef {{conversations: number, messages: number, presets: number, skipped: string[]}} Imported   those
 *     that were not there; skipped: a sentence for each thing that could not be read
 */

const FORMAT = 'gemma-wasm', VERSION = 1;
/** Characters of JSON that are held at once, when they are written. */
const PIECE = 1 << 20;
/** Characters of messages in one transaction. */
const BATCH = 400_000;
const MOST_SKIPPED = 100;
/** Bytes that a packed file may have when it is unpacked. */
const LARGEST = 4e9;
const JSON_FILE = /(^|\/)(?!\._)[^/]+\.json$/i;
const IN_ZIP = /(^|\/)conversations(-\d+)?\.json$|\.jsonl$/i;

/** A conversation as it is exported. @param {Conversations} store @param {Summary} summary */
export async function exportOne(store, summary) {
    const [messages, text] = await Promise.all([store.read(summary.id), summary.kind === 'document'
        ? store.readText(summary.id) : undefined]);
    return {...summary, messages, ...text !== undefined && {text}};
}

/** Before the conversations, and after them. @param {unknown[]} presets */
const begin = (presets) =>
    `${JSON.stringify({format: FORMAT, version: VERSION, exported: Date.now(), presets}).slice(0, -1)},"conversations":[\n`;
const END = '\n]}\n';

/** An export of these alone. @param {Awaited<ReturnType<typeof exportOne>>[]} wholes */
export const toJson = (wholes) => begin([]) + wholes.map((whole) => JSON.stringify(whole)).join(',\n') + END;

/**
 * @param {Conversations} store
 * @param {string[]} [ids]   default: all, and the presets
 * @returns {Promise<Blob>} JSON. The browser holds it, on disk where it is large
 */
export async function exportAll(store, ids) {
    /** @type {Blob[]} */
    const parts = [];
    let piece = begin(ids ? [] : await listPresets(store));
    const wanted = ids && new Set(ids), all = store.list().filter(({id}) => !wanted || wanted.has(id));
    for (const [i, summary] of all.entries()) {
        piece += (i ? ',\n' : '') + JSON.stringify(await exportOne(store, summary));
        if (piece.length < PIECE) continue;
        parts.push(new Blob([piece]));
        piece = '';
    }
    return new Blob([...parts, piece, END], {type: 'application/json'});
}

/**
 * @param {Pick<Summary, 'title'>} summary
 * @param {Message[]} path
 * @param {Names} [names]
 */
export function toMarkdown({title}, path, names = {}) {
    const speakers = {system: 'System', user: 'You', assistant: 'Model', tool: 'Tool', ...names};
    const turns = path.map(({role, content, attachments = []}) => {
        const files = attachments.map(({name}) => `- ${name}\n`).join('');
        return `## ${speakers[role]}\n\n${files ? `${files}\n` : ''}${content}\n`;
    });
    return [`# ${title}\n`, ...turns].join('\n');
}

/**
 * @param {Conversations} store
 * @param {File | Blob} file
 * @returns {Promise<Imported>} rejects with GemmaError 'bad-file' where there is no conversation in it
 */
export async function importFile(store, file) {
    const importing = new Importing(store);
    if (await isZip(file)) {
        // Of other programs, that file alone; else it is a folder of ours, or one that somebody has packed.
        const all = await readZip(file), lists = all.filter(({name}) => IN_ZIP.test(name));
        for (const {name, stream} of lists.length ? lists : all.filter((entry) => JSON_FILE.test(entry.name)))
            await importing.read(stream, name, LARGEST);
    } else {
        await importing.read(async () => file.stream(), 'name' in file ? file.name : 'The file', Infinity);
    }
    return importing.end();
}

/**
 * Our own format; or messages that only follow each other, as many programs write them.
 * @param {Record<string, unknown>} conversation @param {Record<string, unknown>[]} messages
 * @returns {Raw}
 */
function readMessages(conversation, messages) {
    const isTree = messages.some(({id, parent}) => typeof id === 'string' && parent !== undefined);
    const isOurs = typeof conversation.id === 'string' && (isTree || conversation.kind === 'document'
        || !messages.length);
    if (isTree || isOurs) return /** @type {any} */ ({...conversation, source: isOurs ? ''
        : 'messages', messages});
    // Ids of such files are often mere numbers: what is said tells two conversations of one id apart.
    let parent = '';
    const linear = messages.map((message, i) => {
        const content = wordsOf(message.content),
            id = `${i} ${hashOf(`${asText(message.role)} ${asText(content)}`)}`,
            made = {...message, content, id, parent, state: 'done'};
        parent = id;
        return made;
    });
    const {id} = conversation, first = linear[0]?.id.slice(2) ?? '';
    return /** @type {any} */ ({...conversation, ...typeof id === 'string' && {id: `${id}-${first}`},
        source: 'messages', messages: linear});
}

/** As a text, or in parts, as OpenAI's API has them. @param {unknown} content */
const wordsOf = (content) => Array.isArray(content) ? content.map((part) => asText(asObject(part).text))
    .filter(Boolean).join('\n\n') : content;

class Importing {
    #store;
    #lines = new Lines();
    /** @type {Whole[]} */
    #batch = [];
    #size = 0;
    #found = 0;
    /** @type {Imported} */
    #imported = {conversations: 0, messages: 0, presets: 0, skipped: []};

    /** @param {Conversations} store */
    constructor(store) {
        this.#store = store;
    }

    /**
     * @param {() => Promise<ReadableStream<Uint8Array>>} open
     * @param {string} name
     * @param {number} limit   bytes
     */
    async read(open, name, limit) {
        try {
            const stream = await open();
            for await (const {text} of recordsOf(stream, limit)) await this.#take(text);
        } catch (error) {
            const isOurs = error instanceof GemmaError;
            if (isOurs && error.code !== 'bad-file') throw error;
            this.#skip(isOurs ? error.message
                : `${name} could not be read to its end: it is damaged or cut off.`);
        }
        await this.#add(() => this.#lines.end());
    }

    /** @returns {Promise<Imported>} */
    async end() {
        await this.#flush();
        if (this.#found) return this.#imported;
        const why = this.#imported.skipped[0] ?? 'It has none.';
        throw new GemmaError('bad-file',
            `Conversations were expected: an export of this app, of ChatGPT (its ZIP, or conversations.json in it) or of llama.cpp's web UI (JSON, JSONL or ZIP). ${why}`);
    }

    /** @param {string} sentence */
    #skip(sentence) {
        if (this.#imported.skipped.length < MOST_SKIPPED) this.#imported.skipped.push(sentence);
    }

    /** @param {string} text   JSON of an object */
    async #take(text) {
        if (!text) return this.#skip('A conversation is too large: more than 128 million characters.');
        let object;
        try {
            object = asObject(JSON.parse(text));
        } catch {
            return this.#skip(`A part is no JSON: ${text.slice(0, 40).replace(/\s+/g, ' ')}…`);
        }
        if (object.format === FORMAT) return this.#takeHeader(object);
        return this.#add(() => this.#rawOf(object));
    }

    /** @param {Record<string, unknown>} object @returns {Raw | undefined} */
    #rawOf(object) {
        if (Lines.isLine(object)) return this.#lines.add(object);
        if (isChatGpt(object)) return readChatGpt(object);
        if (isLlamaCpp(object)) return readLlamaCpp(asObject(object.conv), asList(object.messages));
        if (Array.isArray(object.messages)) return readMessages(object, object.messages.map(asObject));
        throw new Error(`It has no messages: ${JSON.stringify(object).slice(0, 60)}…`);
    }

    /** Of our own format, after its conversations. @param {Record<string, unknown>} header */
    async #takeHeader({version, presets}) {
        this.#found++;
        if (typeof version === 'number' && version > VERSION)
            this.#skip('The export is of a newer version of this app: what is new in it is left out.');
        for (const preset of asList(presets).map(asObject))
            this.#imported.presets += Number(Boolean(await savePreset(this.#store, preset,
                {isNewOnly: true})));
    }

    /** @param {() => Raw | undefined} read   what throws in it is of this conversation alone */
    async #add(read) {
        let raw, whole;
        try {
            raw = read();
            whole = raw && cleanConversation(raw);
        } catch (error) {
            return this.#skip(`A conversation could not be read: ${messageOf(error)}`);
        }
        if (!raw) return;
        if (!whole) return this.#skip(
            `“${asText(raw.title).slice(0, 60) || asText(raw.id).slice(0, 60)}” has no messages.`);
        this.#found++;
        const {unread, ...kept} = whole;
        if (unread) this.#skip(`“${whole.summary.title}”: ${unread} messages could not be read.`);
        this.#batch.push(kept);
        this.#size += whole.messages.reduce((sum, {content}) => sum + content.length,
            whole.text?.length ?? 0);
        if (this.#size > BATCH) await this.#flush();
    }

    async #flush() {
        const batch = this.#batch;
        this.#batch = [];
        this.#size = 0;
        if (!batch.length) return;
        const {conversations, messages} = await this.#store.bring(batch);
        this.#imported.conversations += conversations;
        this.#imported.messages += messages;
    }
}
