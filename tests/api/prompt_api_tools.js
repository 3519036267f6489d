// What the tests of the Prompt API share: the class on a tiny model of tests/golden, and what the platform's
// own tests look at.
// Must not know: what they test.

import assert from 'node:assert/strict';
import {join} from 'node:path';
import {languageModel} from '../../web/api/prompt-api.js';

export const TINY = join(import.meta.dirname, '../golden/tiny-gemma3.gguf');

/** The class, on a context that is soon full: tiny models seldom end their answers. */
export const define = (options) =>
    languageModel({model: TINY, load: {contextLength: 128, threads: 1}, ...options});

/** Answers that end soon and are the same each time. */
export const SHORT = {responseConstraint: /[a-z]{3,6}\./, omitResponseConstraintInput: true},
    GREEDY = {samplingMode: 'most-predictable'};

/** That it rejects, with a DOMException of this name or an error of this class. */
export function rejects(promise, expected) {
    return assert.rejects(promise, (error) => {
        if (typeof expected === 'string') assert.ok(error instanceof DOMException && error.name === expected,
            `${error.name}: ${error.message}`);
        else if (typeof expected === 'function')
            assert.ok(error instanceof expected && !(error instanceof DOMException),
                `${error.name}: ${error.message}`);
        else assert.equal(error, expected);
        return true;
    });
}

/**
 * Aborts what takes a signal, with and without a reason.
 * @param {(signal: AbortSignal) => Promise<any>} method
 */
export async function aborts(method) {
    for (const reason of [undefined, new Error('mine')]) {
        const stopping = new AbortController(), promise = method(stopping.signal);
        stopping.abort(reason);
        await rejects(promise, reason ?? 'AbortError');
        await rejects(method(stopping.signal), reason ?? 'AbortError');
    }
}

/** All of a stream. */
export async function read(stream) {
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    return chunks;
}
