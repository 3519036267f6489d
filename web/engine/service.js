// service.js: what the engine's worker does: owns one model and its sessions, answers the calls of gemma.js.

import {countTokens, refuseTooLong} from './asking.js';
import {Constraints} from './constraints.js';
import {Conversation, TRANSCRIPT} from './conversation.js';
import {refuseTooLarge} from './entry.js';
import {GemmaError} from '../base/error.js';
import {detectFeatures, detectThreads, requireCompiling} from './features.js';
import {startThreadsAhead} from './instance.js';
import {chooseThreads, makeProbe, openModel, openSynthetic, refuseBySize} from './open.js';
import {Scheduler} from './scheduler.js';
import {endThreads} from './threads.js';
import {WorkerSession} from './worker_session.js';
import {NODE} from '../base/host.js';
import {later} from '../base/later.js';
import {openSource as openFromBrowser} from '../weights/source.js';

/**
 * Where bytes come from is decided here, once.
 * @param {RemoteModel | LocalModel} description
 * @param {any} options
 * @returns {Promise<import('../weights/source.js').Source>}
 */
async function openSource(description, options) {
    if (NODE && description.kind === 'path') {
        const {openSource: openFromDisk} = await import('../weights/node/disk.js');
        return openFromDisk(description, options);
    }
    return openFromBrowser(/** @type {RemoteModel} */ (description), options);
}

/**
 * @typedef {import('../weights/source.js').SourceDescription} RemoteModel
 * @typedef {{kind: 'path', path: string, manifest?: object | string, sha256?: string}} LocalModel
 * @typedef {{kind: 'synthetic', shape: string, type: string}} SyntheticModel
 * @typedef {(RemoteModel | LocalModel | SyntheticModel) & {entry?: import('./entry.js').Subject}} Description
 *
 * @typedef {import('./open.js').OpenOptions & {chat?: boolean}} EngineOptions
 * @typedef {import('../base/protocol.js').Context} Context
 * @typedef {import('./conversation.js').Message} Message
 */

/** Of the loaded model. @type {import('./worker_session.js').Host} */
let host;
/** @type {Map<number, WorkerSession>} */
const sessions = new Map();
let lastSession = 0;

/** @param {WorkerSession} session */
function keep(session) {
    sessions.set(++lastSession, session);
    return {id: lastSession, tokens: session.tokens};
}

/** @param {number} id @returns {WorkerSession} */
function needSession(id) {
    const session = sessions.get(id);
    if (!session) throw new GemmaError('bad-argument',
        'This session has been closed. Open another with gemma.session().');
    return session;
}

export const service = {
    /**
     * What a model would do here; see probe.js.
     * @param {{source: Description, options: EngineOptions}} asked @param {Context} io
     */
    async probe({source, options}, {signal}) {
        requireCompiling();
        const {probe} = await later(() => import('./probe.js'));
        return probe(source, options, signal);
    },

    /** @param {{source: Description, options: EngineOptions}} asked @param {Context} io */
    async load({source: description, options}, {signal, emit}) {
        requireCompiling();
        const start = performance.now();
        await startThreadsAhead(options.memory64 ?? false, chooseThreads(await detectThreads(), options));
        let opened;
        if (description.kind === 'synthetic') {
            opened = await openSynthetic(description, options);
        } else {
            const {entry} = description;
            /** @param {{name: string, size: number} | undefined} announced */
            const accept = async (announced) => {
                if (entry) await refuseTooLarge(await detecting, entry, options);
                else if (announced) refuseBySize(await probing, await detecting, options, announced);
            };
            // Side by side, for each takes a while: the source, this machine's features, and the instance
            // that reads the header.
            const detecting = detectFeatures(),
                probing = detecting.then((features) => makeProbe(features, options));
            const opening = openSource(description, {signal, onProgress: emit, accept});
            probing.catch(() => {});        // thrown where it is awaited, unless there is no source
            const source = await opening;
            try {
                opened = await openModel(source, options, signal, await detecting, probing);
            } finally {
                source.close?.();
            }
        }
        const {module, variant, kernels, memory64, threads, threadsFailed, contextLength, plan} = opened;
        endThreads();               // those that it did not take
        opened.session.close();     // each session of gemma.js has its own
        const {turns, ...about} = plan, chat = options.chat ?? about.chat,
            style = chat && turns?.style ? turns : TRANSCRIPT;
        const loadMs = performance.now() - start;
        host = {module, scheduler: new Scheduler(module), constraints: new Constraints(module), style,
            contextLength, loadMs};
        return {
            ...about, chat, chatStyle: style.style, variant, kernels, memory64, threads, threadsFailed,
            contextLength,
            memoryBytes: module.memoryBytes, addsBos: module.addsBos, loadMs,
        };
    },

    /** @param {{text: string, options: {bos?: boolean, special?: boolean, maxTokens?: number}}} asked */
    tokenize({text, options: {maxTokens = Infinity, ...options}}) {
        refuseTooLong({module: host.module, contextLength: maxTokens}, [text], 0);
        return host.module.tokenize(text, options);
    },

    /** @param {{ids: number[]}} asked */
    detokenize({ids}) {
        const decoder = new TextDecoder('utf-8', {ignoreBOM: true});
        return ids.map((id) => decoder.decode(host.module.tokenBytes(id), {stream: true})).join('')
            + decoder.decode();
    },

    /** @param {{ids: number[], special: boolean}} asked */
    tokenBytes: ({ids, special}) => ids.map((id) => !special && host.module.isControl(id) ? new Uint8Array(0)
        : host.module.tokenBytes(id)),

    /** @param {{texts: (string | number[])[]}} asked @param {Context} io */
    async embed({texts}, {signal, transfer}) {
        const {embed} = await later(() => import('./embed.js')), vectors = await embed(host, texts, signal);
        transfer.push(...vectors.map(({buffer}) => buffer));
        return vectors;
    },

    /** Its name. @param {{options: import('./constraints.js').ConstraintOptions}} asked */
    constraint: ({options}) => host.constraints.keep(options),

    /** @param {{constraint: string}} asked */
    closeConstraint: ({constraint}) => host.constraints.forget(constraint),

    /** @param {{history: Message[], policy?: import('./worker_session.js').Policy}} asked */
    session: async ({history, policy}) => keep(await WorkerSession.open(host, history, policy)),

    /** For another engine, in case this one ends. @param {{session: number}} asked */
    sessionState: ({session}) => needSession(session).state(),

    /** @param {{state: ReturnType<WorkerSession['state']>}} asked */
    resumeSession: async ({state}) => keep(await WorkerSession.resume(host, state)),

    /** @param {{session: number}} asked */
    cloneSession: async ({session}) => keep(await needSession(session).clone()),

    /** @param {{session: number}} asked @param {Context} io */
    async saveSession({session}, {transfer}) {
        const saved = await needSession(session).save();
        transfer.push(saved.bytes.buffer);
        return saved;
    },

    /** @param {Parameters<typeof WorkerSession.restore>[1]} asked */
    restoreSession: async (asked) => keep(await WorkerSession.restore(host, asked)),

    /**
     * Tokens that a prompt adds to a session, or to nothing.
     * @param {Parameters<WorkerSession['count']>[0] & {session?: number}} asked
     */
    count: ({session, ...asked}) =>
        session === undefined ? countTokens(new Conversation(host.module, host.style, []), asked)
            : needSession(session).count(asked),

    /**
     * Emits {phase: 'prefill', done, total} and {overflow}.
     * @param {{session: number, messages: Message[]}} asked
     * @param {Context} io
     */
    append: ({session, messages}, io) => needSession(session).append(messages, io),

    /** @param {{session: number, messages: number}} asked */
    rewind: ({session, messages}) => needSession(session).rewind(messages),

    /** @param {{session: number}} asked */
    async closeSession({session}) {
        const closing = sessions.get(session);
        sessions.delete(session);
        await closing?.close();
    },

    /**
     * Emits {text, logprobs?}, {tool}, {overflow} and {phase: 'prefill', done, total}; with `known` among the
     * options, the ids of tokens, too.
     * @param {{session: number, prompt: string | Message[] | number[], raw: boolean, options:
     *     import('./worker_session.js').PromptOptions}} asked
     * @param {Context} io
     */
    prompt: ({session, ...asked}, io) => needSession(session).prompt(asked, io),
};

/** @typedef {typeof service} Service */
