// How many tokens a text has: counted by the loaded model piece by piece, so that it can be stopped and
// nothing waits for it; or estimated where there is none.

const PIECE = 16_384;

/**
 * @param {string} text
 * @param {(text: string) => Promise<number>} count
 * @param {AbortSignal} [signal]
 */
export async function countTokens(text, count, signal) {
    let tokens = 0;
    for (let at = 0; at < text.length;) {
        signal?.throwIfAborted();
        const most = at + PIECE, line = most < text.length ? text.lastIndexOf('\n', most) : -1,
            end = line > at ? line + 1 : most;
        // Not within a character of two code units.
        const to = (text.charCodeAt(end) & 0xfc00) === 0xdc00 ? end + 1 : end;
        tokens += await count(text.slice(at, to));
        at = to;
    }
    return tokens;
}

/** Some four letters a token where words are spaced, and one or two elsewhere. @param {string} text */
export function estimateTokens(text) {
    const dense = text.match(
        /[\u0900-\u0dff\u0e00-\u0eff\u1000-\u109f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]/g)?.length ?? 0;
    return Math.ceil((text.length - dense) / 4 + dense / 1.6);
}
