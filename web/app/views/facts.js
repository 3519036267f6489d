// The strip of figures: how fast, how much memory, which module, how many threads.

import {bytes, count, speed} from './format.js';
import {clock, element, within} from './dom.js';

/**
 * @param {ParentNode} root
 * @param {import('../../gemma.js').Info} info
 * @param {import('../../gemma.js').Result} [result]   of the last answer
 */
export function showFacts(root, info, result) {
    const at = within(root);
    /** @type {[name: string, value: string, detail?: string][]} */
    const facts = [];
    if (result) {
        const {timings, cachedTokens, promptTokens, tokens} = result;
        const {prefillTokens, prefillMs, decodeTokens, decodeMs} = timings;
        facts.push(['Reading', speed(prefillTokens, prefillMs, clock) || '–', `${count(prefillTokens, 'token')}, ${cachedTokens} cached`]);
        facts.push(['Writing', speed(decodeTokens, decodeMs, clock) || '–', count(tokens.length, 'token')]);
        facts.push(['Context', `${promptTokens.length + tokens.length}`, `of ${info.contextLength.toLocaleString('en')}`]);
    }
    facts.push(['Memory', bytes(result?.memoryBytes ?? info.memoryBytes)]);
    facts.push(['Module', info.kernels, info.memory64 ? 'memory64' : 'wasm32']);
    facts.push(['Threads', String(info.threads), info.threadsFailed ? 'others did not start' : window.crossOriginIsolated ? '' : 'page not isolated']);
    at('facts-list').replaceChildren(...facts.map(([name, value, detail]) => element('div', {},
        element('dt', {textContent: name}),
        element('dd', {}, element('span', {textContent: value}), ...detail ? [element('small', {textContent: detail})] : []))));
    at('facts').hidden = false;
}

/** @param {ParentNode} root */
export function hideFacts(root) {
    within(root)('facts').hidden = true;
}

/**
 * How an answer ended, where that is worth a word.
 * @param {Pick<import('../../gemma.js').Result, 'finishReason' | 'tokens'>} result
 */
export function outcome({finishReason, tokens}) {
    return {
        length: 'Stopped at the longest answer',
        context: 'Stopped: the context is full',
        abort: 'Stopped',
        stop: tokens.length ? '' : 'The model had nothing to add',
    }[finishReason];
}
