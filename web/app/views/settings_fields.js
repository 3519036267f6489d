// One setting as a person changes it: its name, its field, what it means, and the way back to the default.
//
// Owns: the elements of a row. Must not know: where values are kept, and for whom they hold.

import {element} from './dom.js';
import {text} from '../texts.js';
import {LONGEST_TEXT, readSchema} from '../data/preferences.js';

/**
 * @typedef {import('../data/preferences.js').Setting} Setting
 * @typedef {import('../data/preferences.js').Value} Value
 *
 * @typedef {object} Scope   for whom the values hold
 * @property {(key: string) => Value} get
 * @property {(key: string, value: Value) => void} set   undefined: as the default
 * @property {(key: string) => boolean} isOwn            it differs from the defaults, and holds for one
 *     conversation
 * @property {(schema: object) => Promise<unknown>} check   rejects a JSON Schema that no answer can be
 *     made by
 * @property {Set<() => Promise<void>>} waiting   what is written and not taken yet: a call ends the wait
 */

const CALM_MS = 500;

/** Runs the last of several calls, once none has come for a while. @param {() => void} work */
export function calmly(work, ms = CALM_MS) {
    /** @type {ReturnType<typeof setTimeout>} */
    let timer;
    return () => {
        clearTimeout(timer);
        timer = setTimeout(work, ms);
    };
}

/** @param {Setting} setting @param {Scope} scope */
export function settingRow(setting, scope) {
    const {key, field, unit} = setting, id = `setting-${key}`, label = text(`setting.${key}`),
        isRange = field === 'range';
    const input = inputOf(setting),
        shown = element('output', {htmlFor: id, textContent: unit ? text(unit) : ''});
    const hint = hintOf(key), note = element('p', {className: 'refused', role: 'alert'});
    const reset = element('button', {type: 'button', className: 'quiet reset',
        textContent: text('settings.as-default'), onclick: () => {
        scope.set(key, undefined);
        show();
        input.focus();
    }});
    reset.setAttribute('aria-label', `${label}: ${text('settings.as-default')}`);
    const mark = () => {
        if (isRange) shown.textContent = input.value;
        row.classList.toggle('own', scope.isOwn(key));
        reset.hidden = !scope.isOwn(key);
    };
    const show = () => {
        input.value = String(scope.get(key) ?? '');
        refuse(input, note, '');
        mark();
    };
    const take = (/** @type {Value} */ value) => {
        scope.set(key, value);
        mark();
    };
    input.id = id;
    input.setAttribute('aria-describedby', hint.id);
    if (field === 'schema') takeSchema(/** @type {HTMLTextAreaElement} */ (input), note, scope, take);
    else input.oninput = () => {
        const why = tooLong(input.value);
        refuse(input, note, why);
        if (!why && input.checkValidity()) take(valueOf(setting, input));
    };
    const row = element('div', {className: `setting ${field}`},
        element('label', {htmlFor: id, textContent: label}), shown, reset, input, hint, note);
    show();
    return row;
}

/** @param {Setting} setting */
function inputOf({key, field, initial, min, max, step, choices = []}) {
    if (field === 'choice') return element('select', {},
        ...choices.map((value) => element('option', {value, textContent: text(`setting.${key}.${value}`)})));
    if (field === 'text' || field === 'schema') {
        return element('textarea', {rows: key === 'system' ? 4 : 2, dir: 'auto', spellcheck: key === 'system',
            placeholder: text(`setting.${key}-empty`)});
    }
    return element('input', {type: field, min, max, step, placeholder: initial === undefined
        ? text(`setting.${key}-empty`) : ''});
}

/** @param {string} key */
function hintOf(key) {
    const hint = text(`setting.${key}-hint`);
    return element('p', {id: `setting-${key}-hint`, className: 'soft', textContent: hint});
}

/**
 * @param {Setting} setting
 * @param {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} input
 * @returns {Value}
 */
function valueOf({field, initial}, input) {
    if (field !== 'range' && field !== 'number') return input.value;
    return input.value === '' ? initial ?? null : Number(input.value);
}

/** Why it is not stored; '': it is. @param {string} written */
const tooLong = (written) => written.length > LONGEST_TEXT
    ? text('setting.too-long', {count: LONGEST_TEXT}) : '';

/** @param {HTMLElement} input @param {HTMLElement} note @param {string} why   '': it is good */
function refuse(input, note, why) {
    note.textContent = why;
    if (why) input.setAttribute('aria-invalid', 'true');
    else input.removeAttribute('aria-invalid');
}

/**
 * A schema holds once it is known that answers can be made by it.
 * @param {HTMLTextAreaElement} input
 * @param {HTMLElement} note
 * @param {Scope} scope
 * @param {(value: string) => void} take
 */
function takeSchema(input, note, {check, waiting}, take) {
    const look = async () => {
        const written = input.value.trim(), schema = readSchema(written);
        let why = written && !schema ? text('schema.no-json') : tooLong(written);
        if (schema && !why) await check(schema)
            .catch((error) => { why = text('schema.refused', {why: error.message}); });
        // another is written meanwhile, or this field is gone
        if (written !== input.value.trim() || !waiting.delete(look)) return;
        refuse(input, note, why);
        if (!why) take(written);
    };
    const lookLater = calmly(look);
    input.oninput = () => {
        waiting.add(look);
        lookLater();
    };
    input.onchange = look;
}
