// The strip of figures: how fast, how much memory, which module, how many threads.

import {text} from '../texts.js';
import {bytes, number, speed} from './format.js';
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
        const read = text('facts.read', {tokens: text('count.tokens', {count: prefillTokens}),
            cached: text('count.cached', {count: cachedTokens})});
        facts.push([text('facts.reading'), speed(prefillTokens, prefillMs, clock) || '–', read]);
        facts.push([text('facts.writing'), speed(decodeTokens, decodeMs, clock) || '–',
            text('count.tokens', {count: tokens.length})]);
        facts.push([text('facts.context'), number(promptTokens.length + tokens.length),
            text('facts.of', {count: info.contextLength})]);
    }
    const alone = info.threadsFailed ? text('facts.threads-failed') : window.crossOriginIsolated ? ''
        : text('facts.not-isolated');
    facts.push([text('facts.memory'), bytes(result?.memoryBytes ?? info.memoryBytes)]);
    facts.push([text('facts.module'), info.kernels, info.memory64 ? 'memory64' : 'wasm32']);
    facts.push([text('facts.threads'), number(info.threads), alone]);
    at('facts-list').replaceChildren(...facts.map(([name, value, detail]) => element('div', {},
        element('dt', {textContent: name}),
        element('dd', {}, element('span', {textContent: value}), ...detail
            ? [element('small', {textContent: detail})] : []))));
    at('facts').hidden = false;
}
