// How full the context is, with what is being typed: a ring, the numbers, and a word where it will not fit.
//
// Owns: when it is counted, which never holds up typing. Must not know: conversations, the engine.

import {clock, element, Pace, within} from './dom.js';
import {calmly} from './settings_fields.js';
import {text} from '../texts.js';

/**
 * @typedef {import('../../gemma.js').Message} Message
 *
 * @typedef {object} GaugeOptions
 * @property {() => {messages: Message[], contextLength: number, overflow: 'error' | 'drop-oldest'} |
 *     undefined} read   undefined: nothing can be counted now. messages: without what is typed
 * @property {(messages: Message[]) => Promise<number>} count
 * @property {() => void} onSettings
 */

const TYPING_MS = 350, SHARE = 10, LITTLE = 0.1;

/**
 * What there is to say.
 * @param {number} tokens @param {number} contextLength @param {'error' | 'drop-oldest'} overflow
 * @param {number} alone   tokens of what is typed, with the system's message, where all does not fit
 * @returns {'' | 'little' | 'full' | 'drops' | 'too-long'}
 */
export function judge(tokens, contextLength, overflow, alone) {
    if (tokens < contextLength) return overflow === 'error' && contextLength - tokens < LITTLE * contextLength
        ? 'little' : '';
    if (alone >= contextLength) return 'too-long';
    return overflow === 'drop-oldest' ? 'drops' : 'full';
}

export class Gauge {
    #options;
    #field;
    #pace = new Pace(SHARE);
    #ring = element('span', {className: 'gauge-ring'});
    #numbers = element('span', {});
    #word = element('span', {className: 'gauge-word'});
    #more = element('button', {type: 'button', className: 'quiet', textContent: text('settings.title')});
    #root = element('div', {className: 'gauge', id: 'gauge', hidden: true});
    #later = calmly(() => this.#count(), TYPING_MS);
    #counting = false;

    /** @param {ParentNode} root @param {GaugeOptions} options */
    constructor(root, options) {
        const at = within(root);
        this.#options = options;
        this.#field = at('message', HTMLTextAreaElement);
        this.#ring.setAttribute('role', 'meter');
        this.#ring.setAttribute('aria-label', text('gauge.label'));
        this.#ring.setAttribute('aria-valuemin', '0');
        this.#word.setAttribute('role', 'status');
        this.#more.onclick = options.onSettings;
        this.#root.append(this.#ring, this.#numbers, ' ', this.#word, ' ', this.#more);
        at('send').before(this.#root);
        this.#field.addEventListener('input', this.#later);
    }

    /** Something else has changed. */
    update() {
        this.#later();
    }

    async #count() {
        const {read, count} = this.#options, about = read(), typed = this.#field.value.trim();
        if (this.#counting || clock.read() < this.#pace.next) return this.#later();
        if (!about || !about.messages.length && !typed) {
            this.#root.hidden = true;
            return;
        }
        const {contextLength, overflow} = about,
            asked = typed ? [...about.messages, {role: 'user', content: typed}] : about.messages;
        const start = clock.read();
        this.#counting = true;
        try {
            const tokens = await count(/** @type {Message[]} */ (asked));
            const pinned = asked.filter(({role}, i) => role === 'system' || i === asked.length - 1);
            const alone = tokens >= contextLength && typed ? await count(/** @type {Message[]} */ (pinned))
                : 0;
            this.#show(tokens, contextLength, judge(tokens, contextLength, overflow, alone));
        } catch {
            this.#root.hidden = true;       // the model was closed
        }
        this.#counting = false;
        this.#pace.took(start);
        if (typed !== this.#field.value.trim()) this.#later();
    }

    /** @param {number} tokens @param {number} contextLength @param {ReturnType<typeof judge>} verdict */
    #show(tokens, contextLength, verdict) {
        this.#root.hidden = false;
        this.#root.dataset.verdict = verdict;
        this.#ring.style.setProperty('--share', String(Math.min(1, tokens / contextLength)));
        this.#ring.setAttribute('aria-valuemax', String(contextLength));
        this.#ring.setAttribute('aria-valuenow', String(Math.min(tokens, contextLength)));
        this.#numbers.textContent = text('gauge.tokens', {tokens, most: contextLength});
        const word = verdict && text(`gauge.${verdict}`, {left: contextLength - tokens});
        if (this.#word.textContent !== word) this.#word.textContent = word;
        this.#more.hidden = verdict === '' || verdict === 'drops';
    }
}
