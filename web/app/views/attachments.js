// The files of the message that is being written: each with its size and tokens, all of them against what the
// context holds, and what to do where they don't fit.
//
// Owns: its elements, and which way was chosen. Must not know: how files are read (files/), what becomes of
// the message.

import {announce, element, iconButton, within} from './dom.js';
import {bytes} from './format.js';
import {showText} from './file_text.js';
import {countTokens, estimateTokens} from '../files/counting.js';
import {LONGEST_PART} from '../files/in_parts.js';
import {FEWEST, answerTokens, counting} from '../files/prepare.js';
import {FileProblem} from '../files/problem.js';
import {cleanName, readFile} from '../files/reading.js';
import {currentLanguage, text} from '../texts.js';

/**
 * @typedef {import('../data/types.js').Attachment} Attachment
 * @typedef {import('../../gemma.js').Gemma} Gemma
 *
 * @typedef {object} Entry
 * @property {string} name
 * @property {HTMLElement} element
 * @property {HTMLElement} about       its size and tokens
 * @property {AbortController} stop
 * @property {Promise<unknown>} done   it is read and counted
 * @property {Omit<Attachment, 'tokens' | 'how' | 'asked'>} [file]
 * @property {string} [encoding]     where it was assumed
 * @property {number} [tokens]
 * @property {Gemma} [countedBy]       none: estimated
 */

const MOST_FILES = 20;
/** Around a file: its name and marks; around a message: its speaker. */
const AROUND_FILE = 32, AROUND_MESSAGE = 24;
const WAYS = /** @type {const} */ (['first', 'parts', 'search']);

export class Attachments {
    #root;
    #options;
    #place;
    /** @type {Entry[]} */
    #entries = [];
    #list = element('ul', {className: 'files'});
    #sum = element('p', {className: 'soft files-sum'});
    #ways = element('fieldset', {className: 'ways', hidden: true});
    #legend = element('legend');
    /** @type {typeof WAYS[number]} */
    #way = 'first';
    #inputs = /** @type {Record<typeof WAYS[number], HTMLInputElement>} */ ({});
    /** Which of the sums that were begun counts. */
    #turn = 0;
    /** Files that could not be read. */
    #refused = 0;

    /**
     * @param {ParentNode} root
     * @param {Pick<import('./attaching.js').AttachingOptions, 'about' | 'onError'> & {onChange: (count:
     *     number) => void}} options
     */
    constructor(root, options) {
        this.#root = root;
        this.#options = options;
        this.#place = within(root)('attachments');
        this.#list.setAttribute('aria-label', text('files.list'));
        this.#ways.append(this.#legend, ...WAYS.map((way) => this.#choice(way)));
        this.#place.replaceChildren(this.#list, this.#sum, this.#ways);
    }

    /** @param {File[]} files */
    add(files) {
        for (const file of files) {
            if (this.#entries.length >= MOST_FILES)
                return this.#refuse(new FileProblem('too-many', {most: MOST_FILES}));
            const entry = this.#enter(cleanName(file.name));
            entry.done = this.#read(entry, file).catch((error) => {
                const {aborted} = entry.stop.signal;
                this.#remove(entry);
                if (!aborted) this.#refuse(error);
            });
        }
    }

    /** What came back unsent. @param {Attachment[]} attachments */
    put(attachments) {
        for (const {name, type, size, text, how} of attachments) {
            const entry = this.#enter(name);
            entry.file = {name, type, size, text};
            if (how && how !== 'found') this.#way = how;
            entry.done = this.#count(entry).catch(() => {});
        }
        this.refresh();
    }

    /** All of them, for another message. What is being read is read on. @returns {import('./attaching.js').Files} */
    takeAway() {
        const {ready} = this, reading = this.#entries.filter(({file}) => !file);
        this.#clear();
        return {ready, reading};
    }

    /** @param {Entry[]} reading   that were taken away while they were read */
    takeBack(reading) {
        // what could not be read was told
        const there = reading.filter(({stop}) => !stop.signal.aborted);
        this.#entries.push(...there);
        this.#list.append(...there.map((entry) => entry.element));
        this.#changed();
        this.refresh();
    }

    /** Those that have been read, as they would be sent. */
    get ready() {
        return this.#entries.flatMap(({file, tokens}) => file
            ? [{...file, tokens, ...!this.#ways.hidden && {how: this.#way}}] : []);
    }

    /** Counts again, where the model is another one, and adds up. */
    async refresh() {
        const {gemma} = this.#options.about();
        for (const entry of this.#entries) {
            if (entry.file && entry.countedBy !== gemma) entry.done = this.#count(entry).catch(() => {});
        }
        await this.#addUp('').catch(() => {});      // the model has been closed
    }

    /**
     * @param {string} content
     * @param {() => boolean} isWanted   asked once all is read
     * @returns {Promise<Attachment[] | undefined>}
     */
    async take(content, isWanted) {
        let wasOpen, fits;
        const refused = this.#refused, read = new Set(),
            unread = () => this.#entries.find(({done}) => !read.has(done));
        // Others may come while these are read and added up.
        do {
            for (let entry = unread(); entry; entry = unread()) {
                read.add(entry.done);
                await entry.done;
            }
            wasOpen = !this.#ways.hidden;
            fits = await this.#addUp(content).catch(() => true);
        } while (unread());
        // Without a file that it speaks of, a message is another one.
        if (refused !== this.#refused || !isWanted()) return undefined;
        // The choice has just come up: a person has not seen it.
        if (!fits && !wasOpen) {
            announce(this.#root, this.#legend.textContent ?? '');
            this.#ways.querySelector('input:checked')?.scrollIntoView({block: 'nearest'});
            return undefined;
        }
        const taken = this.#entries.flatMap(({file, tokens}) => file
            ? [{...file, tokens, ...!fits && {how: this.#way}}] : []);
        this.#clear();
        return taken;
    }

    #clear() {
        this.#entries = [];
        this.#list.replaceChildren();
        this.#place.querySelectorAll('.file-problem').forEach((note) => note.remove());
        this.#changed();
    }

    /** @param {string} given */
    #enter(given) {
        const names = new Set(this.#entries.map((entry) => entry.name));
        let name = given;
        for (let i = 2; names.has(name); i++) name = given.replace(/(\.[^.]*)?$/, ` (${i})$1`);
        const about = element('span', {className: 'soft', textContent: text('files.reading')});
        const open = element('button', {type: 'button', className: 'file-open'},
            element('strong', {textContent: name, dir: 'auto'}), about);
        /** @type {Entry} */
        const entry = {name, about, stop: new AbortController(), done: Promise.resolve(),
            element: element('li', {}, open)};
        entry.element.append(iconButton('close', text('files.remove', {name}), () => {
            this.#remove(entry);
            within(this.#root)('message').focus();
        }));
        open.onclick = () => {
            if (entry.file) showText(this.#root, {...entry.file, tokens: entry.tokens});
        };
        this.#entries.push(entry);
        this.#list.append(entry.element);
        this.#changed();
        return entry;
    }

    /** @param {Entry} entry */
    #remove(entry) {
        entry.stop.abort();
        entry.element.remove();
        this.#entries = this.#entries.filter((other) => other !== entry);
        this.#changed();
    }

    #changed() {
        this.#options.onChange(this.#entries.length);
        if (!this.#entries.length) this.#ways.hidden = true;
        this.#addUp('').catch(() => {});
    }

    /** @param {Entry} entry @param {File} given */
    async #read(entry, given) {
        const pdfToText = async (
            /** @type {Uint8Array} */ bytes, /** @type {{signal?: AbortSignal}} */ options,
        ) => (await import('../files/pdf.js')).pdfToText(bytes, options);
        const languages = [currentLanguage(), ...navigator.languages],
            {encoding, ...file} = await readFile(given, {signal: entry.stop.signal, languages, pdfToText});
        entry.file = {...file, name: entry.name};
        entry.encoding = encoding;
        await this.#count(entry);
    }

    /** @param {Entry} entry */
    async #count(entry) {
        const {file, stop: {signal}} = entry, {gemma} = this.#options.about();
        if (!file) return;
        entry.countedBy = gemma;
        // If the model is closed meanwhile, the number is an estimate.
        const tokens = gemma && await countTokens(file.text, counting(gemma), signal).catch(() => undefined);
        signal.throwIfAborted();
        if (entry.countedBy !== gemma) return;
        entry.tokens = tokens ?? estimateTokens(file.text);
        if (tokens === undefined) entry.countedBy = undefined;
        const {encoding} = entry;
        entry.about.textContent = [bytes(file.size),
            text(entry.countedBy ? 'count.tokens' : 'files.about-tokens', {count: entry.tokens}),
            ...encoding ? [text('files.encoding', {encoding})] : []].join(' · ');
        await this.#addUp('');
    }

    /** A file that can't be read. @param {Error} error */
    #refuse(error) {
        this.#refused++;
        if (!(error instanceof FileProblem)) return this.#options.onError(error);
        const values = Object.fromEntries(Object.entries(error.values).map(([name, value]) => [
            name, name === 'size' || name === 'most' && Number(value) > 1000 ? bytes(Number(value)) : value,
        ]));
        const sentence = text(`files.${error.code}`, values),
            note = element('p', {className: 'file-problem'}, element('span', {textContent: sentence}));
        note.append(iconButton('close', text('action.close'), () => {
            note.remove();
            this.#changed();
        }));
        this.#place.prepend(note);
        this.#changed();
        announce(this.#root, sentence);
    }

    /**
     * Says what it comes to.
     * @param {string} content
     * @returns {Promise<boolean>} whether it fits, as far as that is known
     */
    async #addUp(content) {
        const turn = ++this.#turn, {gemma, messages, maxTokens} = this.#options.about(),
            counted = this.#entries.filter(({tokens}) => tokens !== undefined);
        this.#place.hidden = !this.#place.querySelector('li, .file-problem');
        const files = counted.reduce((sum, {tokens = 0}) => sum + tokens + AROUND_FILE, 0);
        if (!gemma || !counted.length) {
            this.#sum.textContent = counted.length ? text('files.no-model', {count: files}) : '';
            this.#ways.hidden = true;
            return true;
        }
        const said = messages.length ? await gemma.count(messages) : 0, {contextLength} = gemma.info,
            answer = answerTokens(contextLength, maxTokens);
        const conversation = said + (content ? (await gemma.tokenize(content)).length : 0) + AROUND_MESSAGE,
            needed = files + conversation + answer, fits = needed <= contextLength;
        if (turn !== this.#turn) return fits;
        const values = {files, conversation, answer, needed, context: contextLength};
        this.#sum.textContent = fits ? text('files.sum', values) : '';
        this.#ways.hidden = fits;
        this.#legend.textContent = fits ? '' : text('files.too-long', values);
        const room = Math.max(0, contextLength - conversation - answer),
            part = Math.min(LONGEST_PART, contextLength - answer - AROUND_MESSAGE - AROUND_FILE);
        for (const way of WAYS) {
            const input = this.#inputs[way], hint = input.parentElement?.querySelector('p'),
                isPossible = way === 'parts' || room >= FEWEST;
            input.disabled = !isPossible;
            if (hint) hint.textContent = isPossible ? text(`files.way-${way}-hint`,
                {room, files, parts: Math.ceil(files / Math.max(1, part))}) : text('files.no-room');
            if (!isPossible && this.#way === way) this.#way = 'parts';
        }
        this.#inputs[this.#way].checked = true;
        return fits;
    }

    /** @param {typeof WAYS[number]} way */
    #choice(way) {
        const input = element('input', {type: 'radio', name: 'way', id: `way-${way}`,
            checked: way === this.#way, onchange: () => { this.#way = way; }});
        this.#inputs[way] = input;
        input.setAttribute('aria-describedby', `way-${way}-hint`);
        return element('div', {className: 'way'}, input,
            element('label', {htmlFor: `way-${way}`, textContent: text(`files.way-${way}`)}),
            element('p', {className: 'soft', id: `way-${way}-hint`}));
    }
}
