// The chat: a list of messages and a field to write the next. With a base model it is a transcript, and says so.

import {announce, clock, element, everyFrame, followEnd, isComposing, touch, within} from './dom.js';
import {count, speed} from './format.js';
import {outcome} from './facts.js';

/** Who reads further up than so many pixels above the end stays there. */
const REACH = 200;

/**
 * Puts a text to the model and streams what it writes. Whoever gives it shows errors; they are thrown for the view to tidy up.
 * @callback Ask
 * @param {{text: string, raw?: boolean, signal: AbortSignal}} request   raw: continue the text, outside the conversation
 * @param {(piece: string) => void} onPiece
 * @param {(share: string) => void} onReading   of a long text, how much has been read: '40 %'
 * @returns {Promise<import('../../gemma.js').Result>}
 */

export class Chat {
    #root;
    #at;
    #ask;
    #list;
    #field;
    #send;
    #fresh;
    /** Stops the answer. @type {AbortController | undefined} */
    #running;

    /**
     * @param {ParentNode} root
     * @param {{ask: Ask, onNew: () => void}} options   onNew: forget the conversation
     */
    constructor(root, {ask, onNew}) {
        this.#root = root;
        const at = this.#at = within(root);
        this.#ask = ask;
        this.#list = at('messages');
        this.#field = at('message', HTMLTextAreaElement);
        this.#send = at('send');
        this.#fresh = at('new-chat');
        at('chat-form').onsubmit = (event) => {
            event.preventDefault();
            if (this.#running) this.stop();
            else this.#answer();
        };
        this.#field.oninput = () => this.#grow();
        this.#field.onkeydown = (event) => this.#press(event);
        this.#fresh.onclick = () => {
            this.clear();
            onNew();
            this.#field.focus();
        };
    }

    clear() {
        this.#list.replaceChildren();
        this.#fresh.hidden = true;
    }

    focus() {
        if (!touch) this.#field.focus();
    }

    stop() {
        this.#running?.abort();
    }

    /**
     * @param {import('../../gemma.js').Info['chatStyle']} style
     * @param {boolean} isChat   the model was taught to chat
     */
    setStyle(style, isChat) {
        this.#at('transcript-hint').hidden = style !== 'transcript';
        this.#at('transcript-reason').textContent = isChat
            ? 'This model was taught to chat, in turns that this page does not know, so its answers may suffer.'
            : 'This file does not say that its model was taught to chat, so it is taken for a base model.';
    }

    /** @param {KeyboardEvent} event */
    #press(event) {
        if (isComposing(event)) return;
        // Under a thumb, Enter makes a line.
        if (event.key === 'Enter' && !event.shiftKey && !touch) {
            event.preventDefault();
            if (!this.#running) this.#answer();
        }
        if (event.key === 'Escape') this.stop();
    }

    async #answer() {
        const text = this.#field.value.trim();
        if (!text) return;
        this.#write('');
        this.#add('user', 'You', text);
        const {body, foot} = this.#add('model', 'Gemma', '');
        this.#running = new AbortController();
        this.#setBusy(body, true);
        const written = body.appendChild(new Text());
        const shown = everyFrame((pieces) => {
            body.classList.remove('waiting');
            foot.textContent = '';
            written.appendData(pieces);
            followEnd(REACH);
        });
        announce(this.#root, 'Gemma is answering');
        try {
            const onReading = (/** @type {string} */ share) => { foot.textContent = `Reading… ${share}`; };
            const result = await this.#ask({text, signal: this.#running.signal}, shown.add, onReading);
            shown.end();
            foot.textContent = figures(result);
            announce(this.#root, result.text);
        } catch {
            shown.end();
            // ask has shown the error; an answer that never began leaves the question in the field.
            if (!body.textContent) this.#takeBack(text);
        }
        this.#setBusy(body, false);
        this.#running = undefined;
        followEnd(REACH);
    }

    /** @param {HTMLElement} body   of the answer @param {boolean} busy */
    #setBusy(body, busy) {
        body.classList.toggle('waiting', busy);
        this.#send.textContent = busy ? 'Stop' : 'Send';
        this.#fresh.hidden = busy || this.#list.children.length === 0;
    }

    /** @param {string} role @param {string} name @param {string} text */
    #add(role, name, text) {
        const body = element('div', {className: 'body', textContent: text, dir: 'auto'});
        const foot = element('p', {className: 'foot soft'});
        const who = element('p', {className: 'who', textContent: name});
        this.#list.append(element('div', {className: role}, who, body, foot));
        followEnd(Infinity);
        return {body, foot};
    }

    /** @param {string} text   that was asked last */
    #takeBack(text) {
        this.#list.lastElementChild?.remove();
        this.#list.lastElementChild?.remove();
        this.#write(text);
    }

    /** @param {string} text   into the field */
    #write(text) {
        this.#field.value = text;
        this.#grow();
    }

    /** The field is as high as its text, up to what the style allows. */
    #grow() {
        this.#field.style.height = 'auto';
        this.#field.style.height = `${this.#field.scrollHeight + 2}px`;
    }
}

/** @param {import('../../gemma.js').Result} result */
function figures({tokens, cachedTokens, finishReason, timings}) {
    const rate = speed(timings.decodeTokens, timings.decodeMs, clock), cached = cachedTokens ? `${cachedTokens} cached` : '';
    return [count(tokens.length, 'token'), rate, cached, outcome({finishReason, tokens})].filter(Boolean).join(' · ');
}
