// The blind comparison: what is compared, the drawing of answers, the votes, and the result. Fetched when
// it is opened.
//
// Owns: the dialog's elements. Must not know: models, where comparisons are kept.

import {draw, newComparison, nextToDraw, nextToVote, outcomeOf, promptsOf, vote} from '../compare.js';
import {readSettings} from '../data/preferences.js';
import {drawInSteps} from '../markdown/steps.js';
import {text} from '../texts.js';
import {messageOf} from '../../base/error.js';
import {button, openDialog} from './dialog.js';
import {element} from './dom.js';
import {labels} from './message.js';
import {saveFile} from './files.js';
import {date, percent} from './format.js';
import {slowly} from './slowly.js';

/**
 * @typedef {import('../compare.js').Comparison} Comparison
 * @typedef {import('../compare.js').Side} Side
 * @typedef {import('./settings_library.js').Preset} Preset
 *
 * @typedef {object} CompareParts
 * @property {() => Promise<{id: string, name: string}[]>} models      the loaded one first
 * @property {() => Promise<Preset[]>} presets                         settings to choose from
 * @property {() => import('../data/preferences.js').Preferences} preferences   as they are now
 * @property {() => Promise<string[]>} ownPrompts                      of one's own conversations
 * @property {(side: Side, prompt: string, about: {signal: AbortSignal, onLoading: (name: string) => void}) =>
 *     Promise<string>} ask   onLoading: a model must be loaded first
 * @property {{list: () => Promise<Comparison[]>, put: (one: Comparison) => Promise<unknown>, delete: (id:
 *     string) => Promise<unknown>}} kept
 */

const SHOWN_OF_LEFT_OUT = 100;      // characters of a prompt

/**
 * The prompts that are not compared, and why.
 * @param {Comparison} comparison
 */
const leftOut = ({leftOut: prompts = []}) => !prompts.length ? [] : [
    element('p', {className: 'soft', textContent: text('compare.left-out')}),
    element('ul', {className: 'soft'}, ...prompts.map((prompt) =>
        element('li', {dir: 'auto', textContent: shortened(prompt)}))),
];

/** @param {string} prompt */
const shortened = (prompt) => prompt.length <= SHOWN_OF_LEFT_OUT ? prompt
    : `${prompt.slice(0, SHOWN_OF_LEFT_OUT).replace(/[\uD800-\uDBFF]$/, '')}…`;

export class Compare {
    #parts;
    #body = element('div', {className: 'compare-body'});
    #status = element('p', {className: 'soft', role: 'status'});
    /** @type {AbortController | undefined} */
    #drawing;
    #isKeeping = false;

    /** @param {CompareParts} parts */
    constructor(parts) {
        this.#parts = parts;
        const dialog = openDialog(text('compare.title'), 'compare', this.#body, this.#status);
        dialog.id = 'compare';
        dialog.addEventListener('close', () => this.#drawing?.abort());
        this.#attempt(() => this.#begin());
    }

    /** @param {...(Node | string)} children */
    #show(...children) {
        const isHeld = this.#body.contains(document.activeElement);
        this.#status.textContent = '';
        this.#body.replaceChildren(...children);
        // what was pressed is gone
        if (isHeld) this.#body.closest('dialog')?.querySelector('h2')?.focus();
    }

    /** Says why something fails. @param {() => Promise<unknown>} work */
    async #attempt(work) {
        try {
            await work();
        } catch (error) {
            this.#status.textContent = messageOf(error);
        }
    }

    async #begin() {
        const {models, presets, preferences, ownPrompts, kept} = this.#parts;
        const [all, sets, earlier] = await Promise.all([models(), presets(), kept.list()]);
        const now = {name: text('compare.now'), settings: undefined}, choices = [now, ...sets];
        const prompts = element('textarea', {
            id: 'compare-prompts', rows: 6, placeholder: text('compare.prompts-hint'),
        });
        const fill = button('compare.own-prompts', () => this.#attempt(async () => {
            const own = await ownPrompts();
            prompts.value = [prompts.value.trim(), ...own].filter(Boolean).join('\n');
        }), 'quiet');
        const sides = ['a', 'b'].map((side, i) => {
            const field = (/** @type {string} */ what, /** @type {{name: string}[]} */ items,
                /** @type {number} */ chosen) => {
                const id = `compare-${what}-${side}`,
                    choice = element('select', {id},
                        ...items.map(({name}, value) => element('option',
                            {value: String(value), textContent: name})));
                choice.value = String(Math.min(chosen, items.length - 1));
                return {choice, nodes: [element('label', {htmlFor: id, textContent: text(`compare.${what}`)}),
                    choice]};
            };
            const model = field('model', all, i),
                settings = field('settings', choices, all.length > 1 ? 0 : i);
            const read = () => {
                const {id, name} = all[Number(model.choice.value)],
                    chosen = choices[Number(settings.choice.value)],
                    own = chosen.settings ?? ('system' in chosen ? {system: chosen.system} : {});
                return /** @type {Side} */ ({name: `${name} · ${chosen.name}`, model: id,
                    settings: {...preferences(), ...readSettings(own)}});
            };
            return {read, node: element('fieldset', {},
                element('legend', {textContent: text(`compare.side-${side}`)}), ...model.nodes,
                ...settings.nodes)};
        });
        const start = button('compare.start', () => {
            const wanted = promptsOf(prompts.value), [a, b] = sides.map(({read}) => read());
            const wrong = !wanted.length ? 'compare.no-prompts' : a.model === b.model
                && JSON.stringify(a.settings) === JSON.stringify(b.settings) ? 'compare.same' : '';
            if (wrong) this.#status.textContent = text(wrong);
            else this.#go(newComparison(wanted, [a, b]));
        }, 'primary');
        this.#show(element('p', {className: 'soft', textContent: text('compare.lead')}),
            element('label', {htmlFor: 'compare-prompts', textContent: text('compare.prompts')}),
            prompts, fill,
            element('div', {className: 'sides'}, ...sides.map(({node}) => node)),
            element('div', {className: 'actions'}, start),
            ...earlier.length ? [element('h3', {textContent: text('compare.earlier')}),
                element('ul', {className: 'rows'}, ...earlier.map((one) => this.#row(one)))] : []);
    }

    /** @param {Comparison} one */
    #row(one) {
        const {votes, prompts, created, id} = one, isDone = votes.length === prompts.length;
        return element('li', {},
            element('span', {
                textContent: `${date(created)} · ${text('compare.votes', {votes: votes.length, count: prompts.length})}`,
            }),
            element('div', {className: 'actions'}, button(isDone ? 'compare.result' : 'compare.resume',
                () => this.#go(one), 'quiet'),
                button('action.delete', () => this.#attempt(() => this.#parts.kept.delete(id)
                    .then(() => this.#begin())), 'quiet')));
    }

    /** On with what a comparison needs next. @param {Comparison} comparison */
    #go(comparison) {
        return this.#attempt(async () => {
            if (!comparison.prompts.length) return this.#nothingFits(comparison);
            if (this.#isKeeping) return undefined;      // it was pressed twice
            this.#isKeeping = true;
            await this.#parts.kept.put(comparison).finally(() => { this.#isKeeping = false; });
            if (nextToDraw(comparison)) await this.#draw(comparison);
            else this.#vote(comparison);
        });
    }

    /** The next vote, or the result. @param {Comparison} comparison */
    #vote(comparison) {
        if (nextToVote(comparison)) this.#ask(comparison);
        else this.#result(comparison);
    }

    /** Its votes are others: they count, also where they can't be kept. @param {Comparison} comparison */
    #voted(comparison) {
        this.#vote(comparison);
        this.#attempt(() => this.#parts.kept.put(comparison));
    }

    /** @param {Comparison} comparison */
    async #draw(comparison) {
        const {ask, kept} = this.#parts, {signal} = this.#drawing = new AbortController();
        const bar = element('progress', {max: 2 * comparison.prompts.length, value: 0}),
            word = element('p', {id: 'compare-progress'});
        const say = (/** @type {number} */ done) => {
            bar.value = done;
            word.textContent = text('compare.drawing', {done, total: bar.max});
        };
        bar.setAttribute('aria-labelledby', 'compare-progress');
        this.#show(word, bar, element('p', {className: 'soft', textContent: text('compare.drawing-hint')}),
            button('chat.stop', () => this.#drawing?.abort()));
        say(comparison.answers.flat().filter((one) => one !== null).length);
        try {
            await draw(comparison, {signal, ask: (side, prompt) => ask(side, prompt,
                {signal, onLoading: (name) => {
                this.#status.textContent = text('loading.loading', {name});
            }}), onDrawn: (done, total) => {
                this.#status.textContent = '';
                bar.max = total;
                say(done);
                return kept.put(comparison);
            }});
        } catch (error) {
            await this.#begin();
            if (!signal.aborted) this.#status.textContent = messageOf(error);
            return;
        }
        this.#go(comparison);
    }

    /** @param {Comparison} comparison */
    async #nothingFits(comparison) {
        await this.#parts.kept.delete(comparison.id);
        await this.#begin();
        this.#body.prepend(...leftOut(comparison));
    }

    /** One vote. @param {Comparison} comparison */
    #ask(comparison) {
        const shown = nextToVote(comparison);
        if (!shown) return;
        const answer = (/** @type {'first' | 'second'} */ which) => {
            const body = element('div', {className: 'body', dir: 'auto'});
            slowly(drawInSteps(body, shown[which], {labels: labels(), put: (place) => place()}));
            return element('article', {}, element('h3', {textContent: text(`compare.${which}`)}), body);
        };
        const choose = (/** @type {'first' | 'second' | 'both' | 'neither'} */ choice) =>
            button(`compare.vote-${choice}`, ({detail}) => {
            if (detail > 1) return;     // a double click's second, on a pair that nobody has seen
            vote(comparison, shown.number, choice);
            this.#voted(comparison);
        });
        const undo = button('action.undo', () => {
            comparison.votes.splice(shown.number - 1);
            this.#voted(comparison);
        }, 'quiet');
        undo.hidden = !comparison.votes.length;
        const title = element('h3',
            {tabIndex: -1, textContent: text('compare.question', {number: shown.number + 1,
                total: comparison.prompts.length})});
        this.#show(title, element('blockquote', {dir: 'auto', textContent: shown.prompt}),
            element('div', {className: 'sides'}, answer('first'), answer('second')),
            element('div', {className: 'actions votes'}, choose('first'), choose('second'), choose('both'),
                choose('neither'), undo),
            ...leftOut(comparison));
        title.focus();
    }

    /** @param {Comparison} comparison */
    #result(comparison) {
        const {a, b, both, neither, votes, rate, low, high} = outcomeOf(comparison),
            [{name: nameA}, {name: nameB}] = comparison.sides;
        const title = element('h3', {
            tabIndex: -1, textContent: text('compare.rate', {name: nameA, rate: percent(rate, Math.round)}),
        });
        const row = (/** @type {string} */ name, /** @type {number} */ count) =>
            [element('dt', {textContent: name}), element('dd', {textContent: String(count)})];
        const bar = element('div', {className: 'interval'});
        for (const [name, share] of Object.entries({low, rate, high}))
            bar.style.setProperty(`--${name}`, String(share));
        this.#show(title, bar,
            element('p', {textContent: text('compare.interval',
                {low: percent(low, Math.round), high: percent(high, Math.round), count: votes})}),
            element('p', {textContent: text(low > 0.5 ? 'compare.better' : high < 0.5 ? 'compare.worse'
                : 'compare.open', {a: nameA, b: nameB})}),
            element('dl', {className: 'keys'}, ...row(nameA, a), ...row(nameB, b),
                ...row(text('compare.vote-both'), both), ...row(text('compare.vote-neither'), neither)),
            ...leftOut(comparison),
            element('p', {className: 'soft', textContent: text('compare.how')}),
            element('div', {className: 'actions'},
                button('compare.export',
                    () => saveFile(
                        new Blob([JSON.stringify({...comparison, outcome: outcomeOf(comparison)}, null, 2)],
                            {type: 'application/json'}),
                        `compare-${new Date(comparison.created).toISOString().slice(0, 10)}.json`)),
                button('compare.again', () => this.#attempt(() => this.#begin()))));
        title.focus();
    }
}
