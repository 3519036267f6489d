// view.js: what the element shows, and what people do with it. Text is only ever set as text: nothing that a
// model writes becomes an element. Knows no engine.

import {fill, formats, textsFor} from './texts.js';
import {Announcer, isComposing, isTouch, make, slot} from './view_parts.js';

/**
 * @typedef {object} Doings   what people do
 * @property {() => void} start
 * @property {() => void} cancel
 * @property {(text: string) => void} send
 * @property {() => void} stop
 * @property {() => void} fresh
 *
 * @typedef {object} Offer
 * @property {string} name
 * @property {number} [size]      bytes
 * @property {string} [host]      from where it would come
 * @property {'partial' | 'complete' | undefined} stored   on this device
 * @property {{name: string, url: string}} [licence]
 *
 * @typedef {object} Shown        a message
 * @property {(piece: string) => void} append
 * @property {(share: number) => void} read   how much of the prompt the model has read
 * @property {(foot: string) => void} end
 * @property {() => void} remove
 */

/** A reader who has scrolled up by more pixels than this is not scrolled down. */
const REACH = 80;

export class View {
    #on;
    #isBusy = false;
    #placeholder = '';
    #texts = textsFor('en');
    #formats = formats('en');
    #place = make('div', {className: 'place'});
    #empty = slot('empty');
    #private = make('p', {className: 'soft'});
    #log = make('div', {className: 'log', part: 'messages', role: 'log', ariaLive: 'off', tabIndex: 0},
        this.#place);
    #freshButton = make('button', {type: 'button', className: 'quiet', part: 'new',
        onclick: () => this.#on.fresh()});
    #bar = make('div', {className: 'bar', part: 'bar', hidden: true}, this.#freshButton);
    #error = make('div', {className: 'error', part: 'error', role: 'alert', hidden: true});
    #hint = make('p', {className: 'hint soft', part: 'hint', hidden: true});
    #field = make('textarea', {part: 'input', rows: 1, oninput: () => this.#grow(),
        onkeydown: (/** @type {KeyboardEvent} */ event) => this.#press(event)});
    #send = make('button', {className: 'primary', part: 'send'});
    #form = make('form', {part: 'composer', hidden: true, onsubmit: (/** @type {Event} */ event) =>
        this.#submit(event)}, this.#field, this.#send);
    #announcer = new Announcer();
    #chat = make('section', {className: 'chat', part: 'chat'}, slot('header'), this.#bar, this.#log,
        this.#error, this.#hint, this.#form, slot('footer'),
        this.#announcer.element);

    /** @param {ShadowRoot} root @param {Doings} on */
    constructor(root, on) {
        this.#on = on;
        this.#empty.append(this.#private);
        root.append(this.#chat);
    }

    get texts() {
        return this.#texts;
    }

    /** @param {string} language @param {string | null} placeholder */
    label(language, placeholder) {
        const texts = this.#texts = textsFor(language);
        this.#formats = formats(language);
        this.#chat.lang = language;
        this.#placeholder = placeholder ?? texts.placeholder;
        this.#chat.ariaLabel = texts.chat;
        this.#log.ariaLabel = texts.messages;
        this.#field.placeholder = this.#field.ariaLabel = this.#placeholder;
        this.#freshButton.textContent = texts.fresh;
        this.#private.textContent = texts.private;
        this.#send.textContent = this.#isBusy ? texts.stop : texts.send;
    }

    // ---------------------------------------------------------------------------------------- before there is a model

    /** @param {Offer} offer @param {Promise<number | undefined>} [later]   its size */
    showOffer({name, size, host, stored, licence}, later) {
        const texts = this.#texts, {download, resume, open} = texts,
            label = !stored ? download : stored === 'partial' ? resume : open;
        const button = make('button', {type: 'button', className: 'primary', part: 'start',
            textContent: label, onclick: () => this.#on.start()});
        button.ariaLabel = `${label}: ${name}`;
        const place = stored === 'complete' ? texts.here : host ? fill(texts.from, {host}) : '';
        const facts = make('p', {className: 'soft'}), say = (/** @type {number | undefined} */ bytes) => {
            const amount = bytes === undefined ? '' : this.#formats.bytes(bytes);
            facts.textContent = [amount, place].filter(Boolean).join(' · ');
        };
        say(size);
        later?.then((found) => found && say(found));
        const card = make('div', {className: 'offer', part: 'card'}, make('h2', {textContent: name}),
            make('p', {textContent: texts.private}), button, facts);
        if (licence && stored !== 'complete') {
            const [before, after] = texts.terms.split('{terms}'),
                link = make('a', {textContent: licence.name, href: licence.url, target: '_blank',
                    rel: 'noreferrer noopener'});
            card.append(make('p', {className: 'soft'}, before, link, after));
        }
        this.#showPlace(card);
    }

    /** Nothing but the slot for it. */
    showEmpty() {
        this.#showPlace(this.#empty);
    }

    /** @param {string} name */
    showLoading(name) {
        const hadFocus = this.#place.contains(this.#active),
            title = make('h2', {textContent: fill(this.#texts.opening, {name})}),
            bar = make('progress', {part: 'progress'});
        const figures = make('p', {className: 'soft figures', textContent: '\u00a0'});
        const cancel = make('button', {type: 'button', part: 'cancel', textContent: this.#texts.cancel,
            onclick: () => this.#on.cancel()});
        bar.ariaLabel = title.textContent;
        this.#showPlace(make('div', {className: 'offer loading', part: 'card'}, title, bar, figures, cancel));
        this.#announcer.say(title.textContent ?? '');
        if (hadFocus) cancel.focus();
        return (/** @type {any} */ progress) => this.#progress(name, progress, {title, bar, figures});
    }

    /**
     * @param {string} name @param {any} progress   as Gemma.load tells it
     * @param {{title: HTMLElement, bar: HTMLProgressElement, figures: HTMLElement}} at
     */
    #progress(name, {phase, bytes, total, rate, secondsLeft, waiting, notice}, {title, bar, figures}) {
        const texts = this.#texts, amount = this.#formats,
            done = fill(texts.done, {done: amount.bytes(bytes), total: amount.bytes(total)});
        title.textContent = fill(phase === 'download' ? texts.downloading : texts.opening, {name});
        bar.max = total;
        bar.value = bytes;
        const left = rate > 0 && bytes < total && Number.isFinite(secondsLeft)
            ? fill(texts.left, {time: amount.duration(secondsLeft)}) : '';
        figures.textContent = waiting ?? notice ?? [done, rate > 0 ? `${amount.bytes(rate)}/s` : '',
            left].filter(Boolean).join(' · ');
    }

    /** @param {Node} content */
    #showPlace(content) {
        this.#place.replaceChildren(content);
        this.#log.replaceChildren(this.#place);
        this.#form.hidden = this.#bar.hidden = this.#hint.hidden = true;
    }

    // ---------------------------------------------------------------------------------------- the conversation

    /** @param {boolean} isTranscript   the model knows no turns */
    showChat(isTranscript) {
        const hadFocus = this.#place.contains(this.#active);
        this.clear();
        this.#form.hidden = false;
        this.hint(isTranscript ? this.#texts.transcript : '');
        if (hadFocus && !isTouch()) this.#field.focus();
    }

    clear() {
        this.#place.replaceChildren(this.#empty);
        this.#log.replaceChildren(this.#place);
        this.#bar.hidden = true;
    }

    /** @param {string} text   '' takes it away */
    hint(text) {
        this.#hint.textContent = text;
        this.#hint.hidden = !text;
    }

    /** @param {'user' | 'model'} role @param {string} text @returns {Shown} */
    add(role, text) {
        const texts = this.#texts, body = make('div', {className: 'body', part: 'text', dir: 'auto'}),
            written = body.appendChild(new Text(text));
        const foot = make('p', {className: 'foot soft', part: 'foot'});
        const message = make('div', {className: `message ${role}`, part: `message ${role}`},
            make('p', {className: 'who', textContent: role === 'user' ? texts.you : texts.model}), body,
            foot);
        this.#place.remove();
        this.#log.append(message);
        this.#follow(Infinity);
        let gathered = '', frame = 0;
        const flush = () => {
            cancelAnimationFrame(frame);
            frame = 0;
            if (!gathered) return;
            message.classList.remove('waiting');
            foot.textContent = '';
            const isNear = this.#isNear(REACH);
            written.appendData(gathered);
            gathered = '';
            if (isNear) this.#follow(Infinity);
        };
        if (role === 'model' && !text) message.classList.add('waiting');
        return {
            append: (piece) => {
                gathered += piece;
                this.#announcer.add(piece);
                frame ||= requestAnimationFrame(flush);
            },
            read: (share) => { foot.textContent = fill(texts.reading,
                {share: this.#formats.percent(share)}); },
            end: (text) => {
                flush();
                message.classList.remove('waiting');
                foot.textContent = text;
                this.#announcer.end(text);
                this.#follow(REACH);
            },
            remove: () => {
                message.remove();
                if (!this.#log.firstElementChild) this.#log.append(this.#place);
            },
        };
    }

    /** @param {boolean} isBusy */
    setBusy(isBusy) {
        this.#isBusy = isBusy;
        this.#send.textContent = isBusy ? this.#texts.stop : this.#texts.send;
        this.#bar.hidden = isBusy || !this.#log.querySelector('.message');
        if (isBusy) this.#announcer.say(this.#texts.answering);
    }

    /** Gives a text back that was not answered. @param {string} text */
    restore(text) {
        if (!this.#field.value) this.#field.value = text;
        this.#grow();
    }

    /** @param {string} title @param {string} message @param {(() => void) | undefined} retry */
    showError(title, message, retry) {
        const close = make('button', {type: 'button', className: 'quiet', textContent: this.#texts.close,
            onclick: () => this.hideError()});
        const actions = make('div', {});
        if (retry) actions.append(make('button', {type: 'button', textContent: this.#texts.retry,
            onclick: retry}));
        actions.append(close);
        this.#error.replaceChildren(make('div', {}, make('b', {textContent: title}), message), actions);
        this.#error.hidden = false;
    }

    hideError() {
        this.#error.hidden = true;
        this.#error.replaceChildren();
    }

    focus() {
        (this.#form.hidden ? this.#place.querySelector('button') : this.#field)?.focus();
    }

    // ---------------------------------------------------------------------------------------- keys, and places

    get #active() {
        return /** @type {ShadowRoot} */ (this.#chat.getRootNode()).activeElement;
    }

    /** @param {KeyboardEvent} event */
    #press(event) {
        if (isComposing(event)) return;
        if (event.key === 'Escape' && this.#isBusy) this.#on.stop();
        if (event.key !== 'Enter' || event.shiftKey || isTouch()) return;
        event.preventDefault();
        if (!this.#isBusy) this.#form.requestSubmit();
    }

    /** @param {Event} event */
    #submit(event) {
        event.preventDefault();
        if (this.#isBusy) return this.#on.stop();
        const text = this.#field.value.trim();
        if (!text) return;
        this.#field.value = '';
        this.#grow();
        this.#on.send(text);
    }

    /** The field is as high as its text, up to what the style allows. */
    #grow() {
        this.#field.style.height = 'auto';
        this.#field.style.height = `${this.#field.scrollHeight + 2}px`;
    }

    /** @param {number} reach */
    #isNear(reach) {
        const {scrollHeight, scrollTop, clientHeight} = this.#log;
        return scrollHeight - scrollTop - clientHeight < reach;
    }

    /** @param {number} reach */
    #follow(reach) {
        if (this.#isNear(reach)) this.#log.scrollTop = this.#log.scrollHeight;
    }
}
