// What went wrong, for a person: a title, the library's own sentence, and what can be done.

import {text} from '../texts.js';

/** The codes of GemmaError that have a title and an advice of their own. */
const KNOWN = new Set(['network', 'not-found', 'bad-file', 'unsupported', 'no-memory', 'in-use', 'no-room',
    'storage', 'changed', 'exists', 'context-full',
    'bad-argument', 'bad-numbers', 'library', 'gone', 'old-tab', 'other-tab']);

/**
 * `here`: no other model would help. `refused`: the connection works.
 * @param {Error & {code?: string, here?: boolean, refused?: boolean}} error
 * @returns {{title: string, message: string, advice: string}}
 */
export function explain(error) {
    const {here, refused, code = ''} = error, kind = here ? 'here' : refused ? 'refused' : KNOWN.has(code)
        ? code : 'unknown';
    return {title: text(`error.${kind}`), message: error.message, advice: text(`advice.${kind}`)};
}

/** True for what the user cancelled: nothing to explain. @param {any} error */
export const wasCancelled = (error) => error?.name === 'AbortError';
