// What is done with a loaded model: talks whose sessions are kept, and the strip of figures, how full the
// context is. Fetched while a model is loaded: the first screen needs nothing of it.

import {keepState, readState} from './data/states.js';
import {Talk} from './talk.js';

export {showFacts} from './views/facts.js';
export {Gauge} from './views/gauge.js';

/**
 * @param {import('../gemma.js').Gemma} gemma
 * @param {string} model   its id
 * @param {import('./data/conversations.js').Conversations} store
 */
export const talkWith = (gemma, model, store) => new Talk(gemma, model, {
    keepState: (conversation, state) => keepState(store, conversation, state),
    readState: (conversation, about) => readState(store, conversation, about),
});
