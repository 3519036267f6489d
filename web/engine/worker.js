// worker.js: the engine worker: owns one model and the token loop, answers the calls of gemma.js. Runs as a module worker in browsers and as a
// worker thread under Node.

import {Conversation, TRANSCRIPT} from './conversation.js';
import {GemmaError} from './error.js';
import {detectFeatures} from './features.js';
import {generate} from './generate.js';
import {makeProbe, openModel, openSynthetic, refuseBySize} from './open.js';
import {answer} from './protocol.js';
import {workerPort, yieldTurn} from './host.js';
import {openSource as openFromBrowser} from '../weights/source.js';

/** Where bytes come from is decided here, once. */
async function openSource(description, options) {
    if (description.kind !== 'path') return openFromBrowser(description, options);
    const {openSource: openFromDisk} = await import('../node/file_source.js');
    return openFromDisk(description, options);
}

let engine, info, style;
const conversations = new Map();
let lastConversation = 0;

/** One generation at a time: the engine has one KV cache. */
let queue = Promise.resolve();
function inTurn(work) {
    const result = queue.then(work);
    queue = result.catch(() => {});
    return result;
}

function needConversation(id) {
    const conversation = conversations.get(id);
    if (!conversation) throw new GemmaError('bad-argument', 'this session has been closed');
    return conversation;
}

answer(workerPort, {
    /** What a model would do here; see probe.js. */
    async probe({source, options}, {signal}) {
        const {probe} = await import('./probe.js');
        return probe(source, options, signal);
    },

    async load({source: description, options}, {signal, emit}) {
        const start = performance.now();
        let opened;
        if (description.kind === 'synthetic') {
            opened = await openSynthetic(description, options);
        } else {
            const {entry} = description;
            const accept = async (announced) => {
                if (entry) await (await import('./probe.js')).refuseTooLarge(await detecting, entry, options);
                else if (announced) refuseBySize(await probing, await detecting, options, announced);
            };
            // Side by side, for each takes a while: the source, this machine's features, and the instance that reads the header.
            const detecting = detectFeatures(), probing = detecting.then((features) => makeProbe(features, options));
            const opening = openSource(description, {signal, onProgress: emit, accept});
            probing.catch(() => {});        // thrown where it is awaited, unless there is no source
            const source = await opening;
            try {
                opened = await openModel(source, options, signal, await detecting, probing);
            } finally {
                source.close?.();
            }
        }
        engine = opened.module;
        const {variant, kernels, memory64, threads, contextLength, plan} = opened;
        const {turns, ...about} = plan, chat = options.chat ?? about.chat;
        style = chat && turns?.style ? turns : TRANSCRIPT;
        info = {
            ...about, chat, chatStyle: style.style, variant, kernels, memory64, threads, contextLength,
            memoryBytes: engine.memoryBytes, loadMs: performance.now() - start,
        };
        return info;
    },

    tokenize: ({text, options}) => engine.tokenize(text, options),

    detokenize({ids}) {
        const decoder = new TextDecoder('utf-8', {ignoreBOM: true});
        return ids.map((id) => decoder.decode(engine.tokenBytes(id), {stream: true})).join('') + decoder.decode();
    },

    session({history}) {
        conversations.set(++lastConversation, new Conversation(engine, style, history));
        return lastConversation;
    },

    closeSession({session}) {
        conversations.delete(session);
    },

    /** Emits {text} and {phase: 'prefill', done, total}. */
    prompt: ({session, prompt, raw, options}, {signal, emit}) => inTurn(async () => {
        const conversation = needConversation(session);
        const isText = typeof prompt === 'string';
        if (!isText && (raw || !Array.isArray(prompt))) {
            throw new GemmaError('bad-argument', 'a prompt is a text, or without raw an array of messages');
        }
        const ids = raw ? engine.tokenize(prompt, {bos: engine.addsBos})
            : conversation.ask(isText ? [{role: 'user', content: prompt}] : prompt);
        const stop = [options.stop ?? [], raw ? [] : conversation.stops].flat();
        const {kept, ...generated} = await generate(engine, ids, {...options, stop, trimStart: !raw && conversation.trimsAnswers}, {
            turn: async () => {
                await yieldTurn();
                return signal.aborted;
            },
            onPrefill: (done, total) => emit({phase: 'prefill', done, total}),
            onText: (piece) => emit({text: piece}),
        });
        // What was stopped before its first word has not been asked.
        if (!raw && (kept.length || generated.finishReason !== 'abort')) conversation.answered(ids, kept);
        const {timings, ...rest} = generated;
        return {...rest, promptTokens: ids, timings: {loadMs: info.loadMs, ...timings}, memoryBytes: engine.memoryBytes};
    }),
});
