// completions.js: completions: the continuation of texts, or of token ids, with echo and probabilities as
// evaluation harnesses want them.

import {refuse} from './errors.js';
import {flag, isText, readFields, whole} from './fields.js';
import {FIELDS, inVocabulary, NO_EFFECT, ONLY, toOptions} from './request.js';
import {answer, asApiPromise, handle, headOf, timingsOf, usageOf} from './run.js';
import {Place} from './tokens.js';

/**
 * @typedef {import('./run.js').Engine} Engine
 * @typedef {import('./run.js').Result} Result
 * @typedef {import('./run.js').TokenLogprobs} TokenLogprobs
 * @typedef {import('./types.js').CompletionFields} CompletionFields
 * @typedef {import('./types.js').Completion} Completion
 * @typedef {import('./types.js').CompletionLogprobs} CompletionLogprobs
 * @typedef {import('./types.js').RequestOptions} RequestOptions
 * @typedef {import('./stream.js').Stream<Completion>} CompletionStream
 * @typedef {string | number[]} Prompt
 */

const DEFAULT_TOKENS = 16, MOST_PROMPTS = 1024, MOST_CHOICES = 2048;

/** @param {any} v */
const isIds = (v) => Array.isArray(v) && v.length > 0
    && [...v].every((id) => Number.isSafeInteger(id) && id >= 0);

/** @type {import('./fields.js').Kind} */
const prompts = [
    (v) => isText(v) || isIds(v) || Array.isArray(v) && v.length > 0 && v.length <= MOST_PROMPTS
        && (v.every(isText) || v.every(isIds)),
    `a string, an array of up to ${MOST_PROMPTS} strings, an array of token ids, or an array of such`,
];

/** @type {import('./fields.js').Table} */
const TABLE = {
    fields: {...FIELDS, prompt: prompts, max_tokens: whole(0), logprobs: whole(0, 20), echo: flag,
        best_of: whole(1)},
    noEffect: NO_EFFECT,
    only: ONLY,
    unsupported: ['suffix'],
};

/** @param {unknown} body @param {Engine} engine */
function readCompletion(body, {gemma}) {
    const given = readFields(body, TABLE), {prompt = '', n = 1} = given;
    if (given.best_of !== undefined && given.best_of !== n)
        refuse("'best_of' is not supported here, unless it is n.", 'best_of', 'unsupported_parameter');
    const {constraintParam, ...options} = toOptions(given, gemma.info.nVocab);
    /** @type {Prompt[]} */
    const all = isText(prompt) || isIds(prompt) ? [prompt] : prompt;
    if (n * all.length > MOST_CHOICES)
        refuse(
            `Invalid value for 'n': ${all.length} prompts with ${n} choices each are more than ${MOST_CHOICES}.`,
            'n');
    inVocabulary(all, gemma.info.nVocab, 'prompt');
    return {
        given, constraintParam, prompts: all,
        options: {...options, raw: true, maxTokens: given.max_tokens ?? DEFAULT_TOKENS,
            logprobs: given.logprobs, promptLogprobs: given.echo ? given.logprobs : undefined},
    };
}

/** One choice while it is written. */
class Choice {
    #engine;
    #tell;
    #hasLogprobs;
    #place = new Place();
    #told = Promise.resolve();
    text = '';
    /** @type {CompletionLogprobs} */
    logprobs = {tokens: [], token_logprobs: [], top_logprobs: [], text_offset: []};
    /** @type {'stop' | 'length'} */
    reason = 'stop';

    /**
     * @param {Engine} engine
     * @param {boolean} hasLogprobs
     * @param {((told: {text: string, logprobs: CompletionLogprobs | null, reason: 'stop' | 'length' | null})
     *     => void) | undefined} tell
     */
    constructor(engine, hasLogprobs, tell) {
        this.#engine = engine;
        this.#hasLogprobs = hasLogprobs;
        this.#tell = tell;
    }

    /**
     * @param {string} text
     * @param {(TokenLogprobs | null)[]} all
     * @param {number[]} [echoed]   the prompt's, of those
     * @param {'stop' | 'length' | null} [reason]
     */
    push(text, all, echoed, reason = null) {
        const ids = echoed ?? all.flatMap((one) => one?.id ?? []);
        this.text += text;
        if (reason) this.reason = reason;
        this.#told = this.#told.then(async () => {
            const logprobs = this.#hasLogprobs ? await this.#engine.tokens.forCompletion(all, ids,
                this.#place, echoed !== undefined) : null;
            this.#tell?.({text, logprobs, reason});
            if (!logprobs || this.#tell) return;
            this.logprobs.tokens.push(...logprobs.tokens);
            this.logprobs.token_logprobs.push(...logprobs.token_logprobs);
            this.logprobs.top_logprobs.push(...logprobs.top_logprobs);
            this.logprobs.text_offset.push(...logprobs.text_offset);
        });
        this.#told.catch(() => {});     // not awaited where the answer itself has failed
    }

    /** All that was pushed has been told. */
    get settled() {
        return this.#told;
    }
}

export class Completions {
    #engine;
    /**
     * The token that texts begin with, where there is one.
     * @type {Promise<number | undefined> | undefined}
     */
    #bos;

    /** @param {Engine} engine */
    constructor(engine) {
        this.#engine = engine;
    }

    /**
     * @overload
     * @param {CompletionFields & {stream: true}} body @param {RequestOptions} [options]
     * @returns {Promise<CompletionStream> & {withResponse: () => Promise<{data: CompletionStream, response:
     *     Response, request_id: string}>}}
     */
    /**
     * @overload
     * @param {CompletionFields & {stream?: false | null}} body @param {RequestOptions} [options]
     * @returns {Promise<Completion> & {withResponse: () => Promise<{data: Completion, response: Response,
     *     request_id: string}>}}
     */
    /**
     * @overload
     * @param {CompletionFields & {stream?: boolean | null}} body @param {RequestOptions} [options]
     * @returns {Promise<Completion | CompletionStream> & {withResponse: () => Promise<{data: Completion |
     *     CompletionStream, response: Response, request_id: string}>}}
     */
    /** @param {any} body @param {RequestOptions} [options] @returns {any} */
    create(body, options) {
        return asApiPromise(this.#create(body, options ?? {}));
    }

    /** @param {any} body @param {RequestOptions} options */
    async #create(body, {signal, timeout}) {
        const engine = this.#engine, asked = readCompletion(body, engine), {given} = asked;
        return handle(engine.gate, {
            isStreamed: given.stream ?? false, signals: [signal, given.signal, given.abortSignal], timeout,
            params: {prompt: 'prompt', constraint: asked.constraintParam},
            work: (io) => this.#answer(asked, io),
        });
    }

    /**
     * @param {ReturnType<typeof readCompletion>} asked
     * @param {{signal: AbortSignal, onStart: () => void, push?: (chunk: Completion) => void}} io
     * @returns {Promise<Completion>}
     */
    async #answer({given, prompts, options}, {signal, onStart, push}) {
        const engine = this.#engine, {n = 1} = given, head = headOf(engine, 'cmpl-'),
            hasUsage = given.stream_options?.include_usage === true;
        const hasLogprobs = given.logprobs !== undefined, failing = new AbortController(),
            stopping = AbortSignal.any([signal, failing.signal]);
        /** @param {any[]} choices @returns {any} */
        const whole = (choices) => ({...head, object: 'text_completion', choices});
        const choices = Array.from({length: n * prompts.length}, (_, index) => new Choice(engine, hasLogprobs,
            push && (({text, logprobs, reason}) =>
            push({...whole([{index, text, logprobs, finish_reason: reason}]), ...hasUsage
                && {usage: null}}))));
        /** @type {Result[][]} */
        const all = [], left = prompts.entries();
        // No more at once than are written at the same time: so other requests get their turn between them.
        const working = Array.from({length: Math.min(engine.gate.parallel, prompts.length)}, async () => {
            for (const [p, prompt] of left) {
                all[p] = await this.#complete({prompt, given, options, n}, choices.slice(p * n, p * n + n),
                    {signal: stopping, onStart});
            }
        });
        for (const each of working) each.catch((error) => failing.abort(error));
        await Promise.allSettled(working);
        if (failing.signal.aborted) throw failing.signal.reason;
        await Promise.all(choices.map((choice) => choice.settled));
        const usage = usageOf(all.map(([first]) => first), all.flat()), timings = timingsOf(all[0][0]);
        if (hasUsage) push?.({...whole([]), usage, timings});
        return {
            ...whole(choices.map(({text, logprobs, reason}, index) => ({index, text, logprobs: hasLogprobs
                ? logprobs : null, finish_reason: reason}))), usage, timings,
        };
    }

    /**
     * The choices of one prompt.
     * @param {{prompt: Prompt, given: Record<string, any>, options: import('./run.js').Asked['options'], n:
     *     number}} asked
     * @param {Choice[]} choices @param {{signal: AbortSignal, onStart: () => void}} io
     */
    async #complete({prompt, given, options, n}, choices, {signal, onStart}) {
        const {gemma} = this.#engine, bos = await (this.#bos ??= this.#findBos()),
            isEchoed = given.echo ?? false;
        const begins = isText(prompt) || prompt[0] === bos,
            ids = isText(prompt) ? undefined : begins || bos === undefined ? prompt : [bos, ...prompt];
        // The prompt's probabilities are of its tokens, so they are needed before.
        const tokens = options.promptLogprobs === undefined ? ids : ids
            ?? await gemma.tokenize(/** @type {string} */ (prompt),
                {bos: bos !== undefined, maxTokens: gemma.info.contextLength});
        const echoed = isEchoed && (isText(prompt) ? prompt : await gemma.detokenize(prompt)),
            skip = bos === undefined || !isText(prompt) && begins ? 0 : 1;
        /** @param {Result} result */
        const echo = ({promptTokens, promptLogprobs = []}) => {
            for (const choice of choices) choice.push(echoed || '', promptLogprobs.slice(skip),
                options.promptLogprobs === undefined ? [] : promptTokens.slice(skip));
        };
        const readsFirst = isEchoed && options.promptLogprobs !== undefined;
        if (isEchoed && !readsFirst) for (const choice of choices) choice.push(echoed || '', []);
        return answer(this.#engine, {
            prompt: tokens ?? prompt, key: tokens ? `ids ${tokens.join()}` : String(prompt), options, n,
            seed: given.seed, isReused: given.cache_prompt ?? true, readsFirst,
            after: (result) => tokens ? `,${result.tokens.join()}` : result.text,
        }, {
            signal, onStart, onRead: echo, onText: (i, {text, logprobs = []}) =>
                choices[i].push(text, logprobs),
            onEnd: (i, {finishReason, endToken}) => choices[i].push('', endToken ? [endToken] : [], undefined,
                finishReason === 'stop' ? 'stop' : 'length'),
        });
    }

    async #findBos() {
        const {gemma} = this.#engine;
        return gemma.info.addsBos ? (await gemma.tokenize('', {bos: true}))[0] : undefined;
    }
}
