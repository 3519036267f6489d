// Two models, or two settings of one, compared blind: all answers are drawn first, then a person votes
// without knowing whose they are.
//
// Owns: what a comparison is, its order, and its result. Must not know: elements, how models are loaded,
// where it is kept.

/**
 * @typedef {'a' | 'b' | 'both' | 'neither'} Vote
 *
 * @typedef {object} Side
 * @property {string} name
 * @property {string} model     its id; '' for one that is not stored
 * @property {import('./data/preferences.js').Values} settings   all that is asked
 *
 * @typedef {object} Comparison
 * @property {string} id
 * @property {number} created
 * @property {string[]} prompts
 * @property {string[]} [leftOut]   prompts that do not fit the context of one side
 * @property {[Side, Side]} sides
 * @property {[(string | null)[], (string | null)[]]} answers   of both, for each prompt
 * @property {{prompt: number, isSwapped: boolean}[]} order     in which they are voted on; isSwapped: B's
 *     answer stands first
 * @property {Vote[]} votes      in that order
 *
 * @typedef {{a: number, b: number, both: number, neither: number, votes: number, rate: number, low: number,
 *     high: number}} Outcome   rate: A's win rate, where a tie counts as half a win for both; low and high:
 *     its 95 % interval
 */

const Z = 1.959964;         // of 95 %
const MOST_PROMPTS = 200;

/** One a line, each once. @param {string} written @returns {string[]} */
export const promptsOf = (written) =>
    [...new Set(written.split('\n').map((line) => line.trim()).filter(Boolean))].slice(0, MOST_PROMPTS);

/**
 * @param {string[]} prompts
 * @param {[Side, Side]} sides
 * @param {() => number} [random]
 * @returns {Comparison}
 */
export function newComparison(prompts, sides, random = Math.random) {
    const order = prompts.map((_, prompt) => ({prompt, isSwapped: random() < 0.5}));
    for (let i = order.length - 1; i > 0; i--) {
        const j = Math.floor(random() * (i + 1));
        [order[i], order[j]] = [order[j], order[i]];
    }
    const none = () => prompts.map(() => null);
    return {id: `${Date.now()}`, created: Date.now(), prompts, sides, answers: [none(), none()],
        order, votes: []};
}

/**
 * The next answer that is missing: all of A's, then all of B's.
 * @param {Comparison} comparison
 * @returns {{side: 0 | 1, prompt: number} | undefined}
 */
export function nextToDraw({answers}) {
    for (const side of /** @type {const} */ ([0, 1])) {
        const prompt = answers[side].indexOf(null);
        if (prompt >= 0) return {side, prompt};
    }
    return undefined;
}

/**
 * What is voted on next, as it is shown.
 * @param {Comparison} comparison
 * @returns {{number: number, prompt: string, first: string, second: string} | undefined} number: of the pair
 */
export function nextToVote({order, votes, prompts, answers: [a, b]}) {
    const next = order[votes.length];
    if (!next) return undefined;
    const shown = [a[next.prompt] ?? '', b[next.prompt] ?? ''],
        [first, second] = next.isSwapped ? shown.reverse() : shown;
    return {number: votes.length, prompt: prompts[next.prompt], first, second};
}

/**
 * A vote counts for the pair that is shown, once.
 * @param {Comparison} comparison
 * @param {number} number   of that pair
 * @param {'first' | 'second' | 'both' | 'neither'} choice
 */
export function vote({order, votes}, number, choice) {
    if (number !== votes.length) return;
    const {isSwapped} = order[number];
    votes.push(choice === 'both' || choice === 'neither' ? choice : (choice === 'first') !== isSwapped ? 'a'
        : 'b');
}

/**
 * Wilson's score interval of a share (E. B. Wilson, Probable Inference, the Law of Succession, and
 * Statistical Inference, Journal of the American Statistical Association 22, 1927, 209-212).
 * @param {number} share   0 to 1 @param {number} n @returns {{low: number, high: number}}
 */
export function wilson(share, n) {
    if (!n) return {low: 0, high: 1};
    const scale = 1 + Z * Z / n, middle = (share + Z * Z / (2 * n)) / scale,
        half = Z * Math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n)) / scale;
    return {low: Math.max(0, middle - half), high: Math.min(1, middle + half)};
}

/** @param {Comparison} comparison @returns {Outcome} */
export function outcomeOf({votes}) {
    const count = (/** @type {Vote} */ which) => votes.filter((one) => one === which).length;
    const [a, b, both, neither] = [count('a'), count('b'), count('both'), count('neither')],
        rate = votes.length ? (a + (both + neither) / 2) / votes.length : 0.5;
    return {a, b, both, neither, votes: votes.length, rate, ...wilson(rate, votes.length)};
}

/**
 * What one side's context can't hold is not compared.
 * @param {Comparison} comparison
 * @param {number} index   of the prompt
 */
function leaveOut(comparison, index) {
    const {prompts, answers, order, leftOut = []} = comparison;
    comparison.leftOut = [...leftOut, ...prompts.splice(index, 1)];
    for (const side of answers) side.splice(index, 1);
    order.splice(order.findIndex(({prompt}) => prompt === index), 1);
    for (const one of order) if (one.prompt > index) one.prompt--;
}

/**
 * Draws all answers that are missing. A prompt that does not fit into the context of one side is left out.
 * @param {Comparison} comparison
 * @param {{ask: (side: Side, prompt: string) => Promise<string>, onDrawn: (done: number, total: number) =>
 *     Promise<unknown> | void, signal: AbortSignal}} parts   ask: loads the side's model where it must;
 *     onDrawn: keeps what there is
 */
export async function draw(comparison, {ask, onDrawn, signal}) {
    for (let next; (next = nextToDraw(comparison));) {
        const {side, prompt} = next;
        signal.throwIfAborted();
        const answer = await ask(comparison.sides[side], comparison.prompts[prompt]).catch((error) => {
            if (error.code !== 'context-full') throw error;
        });
        signal.throwIfAborted();         // a part of an answer is none
        if (answer === undefined) leaveOut(comparison, prompt);
        else comparison.answers[side][prompt] = answer;
        await onDrawn(comparison.answers.flat().filter((one) => one !== null).length,
            2 * comparison.prompts.length);
    }
}
