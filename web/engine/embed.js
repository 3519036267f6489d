// embed.js: embeddings of texts: the mean of the final hidden states of a text's tokens, made a vector of
// length 1; several texts in one batch. Knows the engine and its sessions; not what the vectors are for.

import {contextFull} from './asking.js';
import {MAX_DRAFT} from '../base/constants.js';

const AT_ONCE = 1 + MAX_DRAFT;      // texts in a batch

/**
 * @param {import('./worker_session.js').Host} host
 * @param {(string | number[])[]} texts   or their tokens
 * @param {AbortSignal} signal
 * @returns {Promise<Float32Array[]>} a vector [n_embd] for each; rejects with 'context-full' for a text
 *     that is too long
 */
export async function embed({module, scheduler, contextLength}, texts, signal) {
    const vectors = [], {nEmbd} = module.plan();
    for (let at = 0; at < texts.length; at += AT_ONCE) {
        const sessions = [];
        try {
            for (const text of texts.slice(at, at + AT_ONCE)) {
                const ids = typeof text === 'string' ? module.tokenize(text, {bos: true}) : text;
                if (ids.length > contextLength) throw contextFull(ids.length, contextLength);
                const session = module.newSession(contextLength);
                sessions.push(session);
                session.pool();
                session.sync(ids);
            }
            // All of them end before they are closed: the scheduler steps through closed ones no more than
            // through others' prompts.
            let hasFailed = false;
            const ended = await Promise.allSettled(sessions.map((session) => scheduler.evaluate(session,
                {aborted: () => hasFailed || signal.aborted})
                .catch((error) => {
                    hasFailed = true;
                    throw error;
                })));
            signal.throwIfAborted();
            for (const one of ended) if (one.status === 'rejected') throw one.reason;
            for (const session of sessions) vectors.push(session.embedding(nEmbd));
        } finally {
            for (const session of sessions) session.close();
        }
    }
    return vectors;
}
