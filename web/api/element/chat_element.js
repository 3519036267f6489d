// chat_element.js: <gemma-chat>: model, engine, conversation and events. Knows no shadow tree (view.js).

import {Gemma, GemmaError} from '../../gemma.js';
import {useEngine} from './engines.js';
import {askedOf, sizeAt, sourceOf} from './models.js';
import {dress} from './style.js';
import {titleOf} from './texts.js';
import {View} from './view.js';

/**
 * @typedef {import('../../gemma.js').Message} Message
 * @typedef {import('../../gemma.js').Result} Result
 * @typedef {import('../../gemma.js').Session} Session
 */

/** Under Node, where a page may be rendered, there are no elements. */
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? Object);
/** Codes after which an engine answers no more. */
const ENDED = new Set(['closed', 'engine-lost']);
/** Properties that may have been set before the element was defined. */
const EARLY = /** @type {const} */ (['engine', 'sampling', 'messages']);

/** For what people do: errors are shown already. @param {Promise<unknown>} work */
const quietly = (work) => void work.catch(() => {});
/** @param {any} error */
const wasCancelled = (error) => error?.name === 'AbortError';

/** The element: see ../element.js for its attributes, events and parts. */
export class GemmaChat extends Base {
    static observedAttributes = ['src', 'model', 'system', 'lang', 'placeholder', 'autoload'];

    #view;
    /** What loads, or has loaded, the model of this element. @type {ReturnType<typeof useEngine> | undefined} */
    #used;
    /** @type {Promise<Gemma> | undefined} */
    #loading;
    /** @type {Gemma | undefined} */
    #gemma;
    #isGiven = false;
    /** @type {Promise<Session> | undefined} */
    #session;
    /** @type {Message[]} */
    #messages = [];
    /** @type {AbortController | undefined} */
    #running;
    /** The last answer, however it ends. @type {Promise<unknown> | undefined} */
    #ended;
    /** @type {import('../../gemma.js').Sampling | undefined} */
    #sampling;
    #wasLoaded = false;     // loads again when the element is back in a page
    /** @type {IntersectionObserver | undefined} */
    #seen;
    #offers = 0;        // of those that overlap, one for each attribute, only the last is shown
    #stops = 0;         // what was asked before one is not answered
    /** Of the attribute, in the conversation. @type {string | undefined} */
    #system;

    constructor() {
        super();
        const root = this.attachShadow({mode: 'open', delegatesFocus: true});
        dress(root);
        this.#view = new View(root, {
            start: () => quietly(this.load()), cancel: () => this.#giveUp(), stop: () => this.stop(), fresh: () => this.#fresh(),
            send: (text) => quietly(this.ask(text)),
        });
    }

    connectedCallback() {
        for (const name of EARLY) {
            if (!Object.hasOwn(this, name)) continue;
            const value = this[name];
            delete (/** @type {any} */ (this))[name];
            (/** @type {any} */ (this))[name] = value;
        }
        this.#label();
        if (this.#gemma || this.#loading) return;
        if (this.#wasLoaded) quietly(this.load());
        else this.#offer();
    }

    disconnectedCallback() {
        // An element that is moved is back at once.
        setTimeout(() => {
            if (this.isConnected) return;
            this.#seen?.disconnect();
            this.stop();
            this.#release();
        });
    }

    /** @param {string} name @param {string | null} before @param {string | null} now */
    attributeChangedCallback(name, before, now) {
        if (before === now) return;
        if (name === 'system') this.#forget();
        if (['src', 'model'].includes(name) && !this.#isGiven) {
            this.stop();
            this.#release();
            this.#wasLoaded = false;
            this.#messages = [];
            this.#view.hideError();
        }
        if (!this.isConnected || name === 'system') return;
        if (name === 'lang' || name === 'placeholder') this.#label();
        if (name !== 'placeholder' && !this.#gemma && !this.#loading) this.#offer();
    }

    /** The loaded model. One that is set replaces it and is never closed here: several elements may share it. */
    get engine() {
        return this.#gemma;
    }

    set engine(gemma) {
        this.stop();
        this.#release();
        this.#isGiven = !!gemma;
        if (gemma) this.#begin(gemma);
        else if (this.isConnected) this.#offer();
    }

    /** For the conversations that begin. @type {import('../../gemma.js').Sampling | undefined} */
    get sampling() {
        return this.#sampling;
    }

    set sampling(sampling) {
        this.#sampling = sampling;
        this.#forget();
    }

    /** What has been said. Setting it begins another conversation, which has these behind it. @returns {Message[]} */
    get messages() {
        return structuredClone(this.#messages);
    }

    set messages(messages) {
        this.stop();
        this.#messages = structuredClone(messages);
        this.#forget();
        if (this.#gemma) this.#show(this.#gemma);
    }

    /** Loads the model, which may download it. @returns {Promise<Gemma>} */
    load() {
        return this.#gemma ? Promise.resolve(this.#gemma) : this.#loading ??= this.#load();
    }

    /** Asks, as a person. @param {string} text @returns {Promise<Result | undefined>} undefined: no text came */
    async ask(text) {
        const stops = this.#stops, gemma = await this.load();
        while (this.#running?.signal.aborted) await this.#ended;
        if (stops !== this.#stops) return undefined;
        if (this.#running) throw new GemmaError('bad-argument', 'This chat is answering already; wait for the answer, or stop it.');
        const answer = this.#answer(gemma, text);
        this.#ended = answer.catch(() => {});
        return answer;
    }

    /** Ends the answer that is being written, or was asked for. */
    stop() {
        this.#stops++;
        this.#running?.abort();
    }

    /** Begins a new conversation. */
    clear() {
        this.stop();
        this.#messages = [];
        this.#forget();
        if (this.#gemma) this.#view.clear();
    }

    focus() {
        this.#view.focus();
    }

    /** What is shown before there is a model, by the attribute autoload. */
    async #offer() {
        this.#seen?.disconnect();
        const offer = ++this.#offers, autoload = this.getAttribute('autoload');
        try {
            const {model, ...about} = sourceOf(this);
            this.#view.showEmpty();
            if (autoload === 'never') return;
            if (autoload === 'visible') {
                this.#seen = new IntersectionObserver((entries) => {
                    if (!entries.some(({isIntersecting}) => isIntersecting)) return;
                    this.#seen?.disconnect();
                    quietly(this.load());
                });
                return this.#seen.observe(this);
            }
            const id = Gemma.models.idOf(model), {size, state} = (await Gemma.models.list()).find((one) => one.id === id) ?? {};
            if (!this.isConnected || this.#gemma || this.#loading || offer !== this.#offers) return;
            this.#view.showOffer({size, ...about, stored: state && (state === 'complete' ? 'complete' : 'partial')}, state ? undefined : sizeAt(model));
        } catch (error) {
            this.#fail(error);
        }
    }

    async #load() {
        let /** @type {ReturnType<typeof useEngine> | undefined} */ used;
        try {
            const {key, model, name} = sourceOf(this), shared = this.hasAttribute('shared');
            this.#seen?.disconnect();
            this.#view.hideError();
            const show = this.#view.showLoading(name);
            used = this.#used = useEngine(key, model, {shared}, (progress) => {
                this.#tell('progress', progress);
                show(progress);
            });
            const gemma = await used.loaded;
            if (this.#used !== used) throw new DOMException('Loading was cancelled.', 'AbortError');
            this.#begin(gemma);
            return gemma;
        } catch (error) {
            if (this.#used === used) this.#release();
            if (!wasCancelled(error)) {
                this.#fail(error, () => quietly(this.load()));
                if (this.isConnected) this.#offer();
            }
            throw error;
        }
    }

    /** @param {Gemma} gemma */
    #begin(gemma) {
        this.#seen?.disconnect();
        this.#loading = undefined;
        this.#gemma = gemma;
        this.#wasLoaded = !this.#isGiven;
        this.#show(gemma);
        this.#tell('ready', {info: gemma.info});
    }

    /** @param {Gemma} gemma */
    #show({info}) {
        this.#view.showChat(info.chatStyle === 'transcript');
        for (const {role, content} of this.#messages)
            if (role === 'user' || role === 'assistant')
                this.#view.add(role === 'user' ? 'user' : 'model', content);
        this.#view.setBusy(false);
    }

    /** Gives the model back. What has been said stays. */
    #release() {
        this.#forget();
        this.#used?.release();
        this.#used = this.#loading = this.#gemma = undefined;
    }

    /** @param {Gemma} gemma @returns {Promise<Session>} */
    #open(gemma) {
        const system = this.getAttribute('system') ?? undefined, [first] = this.#messages;
        // A system message that the page has set counts where there is no attribute, and was none.
        const isOld = first?.role === 'system' && (system !== undefined || first.content === this.#system);
        this.#system = system ?? this.#system;
        return gemma.session({
            system, history: this.#messages.slice(isOld ? 1 : 0), sampling: this.#sampling, overflow: 'drop-oldest',
            onOverflow: (overflow) => {
                this.#view.hint(this.#view.texts.forgotten);
                this.#tell('contextoverflow', overflow);
            },
        });
    }

    /** The next prompt opens a new session; an answer that is being written continues in this one. */
    #forget() {
        if (!this.#running) this.#session?.then((session) => session.close()).catch(() => {});
        this.#session = undefined;
    }

    #fresh() {
        this.clear();
        if (this.#gemma) this.#show(this.#gemma);
        this.#view.focus();
    }

    /** @param {Gemma} gemma @param {string} text @returns {Promise<Result | undefined>} */
    async #answer(gemma, text) {
        const {signal} = this.#running = new AbortController(), texts = this.#view.texts;
        this.#view.hideError();
        const asked = this.#view.add('user', text), shown = this.#view.add('model', '');
        this.#view.setBusy(true);
        let /** @type {Promise<Session> | undefined} */ opening;
        let written = '';
        const said = this.#messages;
        const takeBack = () => {
            shown.remove();
            asked.remove();
            if (this.#messages === said) this.#view.restore(text);
        };
        try {
            const options = askedOf(this);
            opening = this.#session ??= this.#open(gemma);
            const session = await opening.catch((error) => {
                if (this.#session === opening) this.#session = undefined;
                throw error;
            });
            this.#tell('message', {role: 'user', content: text});
            const answer = session.prompt(text, {...options, signal, onProgress: ({done, total}) => done < total && shown.read(done / total)});
            for await (const piece of answer) {
                written += piece;
                shown.append(piece);
            }
            const result = await answer.result, {finishReason} = result;
            shown.end(finishReason === 'stop' ? written ? '' : texts.nothing : {abort: texts.stopped, length: texts.length,
                context: texts.context}[finishReason]);
            if (finishReason === 'abort' && !written) return void takeBack();
            if (this.#messages === said) this.#messages = session.messages;
            this.#tell('message', {role: 'assistant', content: result.text, result});
            return result;
        } catch (error) {
            shown.end('');
            if (!written) takeBack();
            if (signal.aborted) return undefined;
            this.#fail(error);
            if (this.#used && error instanceof GemmaError && (error.fatal === true || ENDED.has(error.code))) {
                this.#used.drop();
                this.#giveUp();
            }
            throw error;
        } finally {
            this.#running = undefined;
            if (this.#session !== opening) opening?.then((session) => session.close()).catch(() => {});
            this.#view.setBusy(false);
        }
    }

    /** The model is offered again, and the conversation continues with it. */
    #giveUp() {
        this.#release();
        if (this.isConnected) this.#offer();
    }

    #label() {
        const language = this.lang || this.closest('[lang]')?.getAttribute('lang') || navigator.language;
        this.#view.label(language, this.getAttribute('placeholder'));
    }

    /** @param {string} name @param {unknown} detail @returns {boolean} false when the page takes care of it */
    #tell(name, detail) {
        return this.dispatchEvent(new CustomEvent(`gemma-${name}`, {detail, bubbles: true, composed: true, cancelable: name === 'error'}));
    }

    /** @param {unknown} error @param {() => void} [retry] */
    #fail(error, retry) {
        const {code, message = String(error)} = /** @type {{code?: string, message?: string}} */ (error);
        if (this.#tell('error', {error})) this.#view.showError(titleOf(this.#view.texts, code), message, retry);
    }
}
