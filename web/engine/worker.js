// worker.js: the engine worker: owns one model and the token loop, answers the calls of gemma.js. Runs as a module worker in browsers and as a
// worker thread under Node.

import {Conversation, TRANSCRIPT} from './conversation.js';
import {GemmaError} from './error.js';
import {detectFeatures, requireWebAssembly} from './features.js';
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

const SHORT = 16;       // characters a token, of texts that are simply tokenized

let engine, info, style;
const conversations = new Map();
let lastConversation = 0;

/** One generation at a time: the engine has one KV cache. What is aborted while it waits ends at once, with what `unasked` gives. */
let queue = Promise.resolve();
function inTurn(signal, work, unasked) {
    return new Promise((resolve, reject) => {
        const leave = () => resolve(unasked());
        if (signal.aborted) return leave();
        signal.addEventListener('abort', leave);
        queue = queue.then(() => {
            signal.removeEventListener('abort', leave);
            if (signal.aborted) return;
            const result = work();
            resolve(result);
            return result;
        }).catch(reject);
    });
}

/** Throws for a text that has more tokens than the context holds, however it is cut, before memory is had for them. @param {string[]} texts */
function refuseTooLong(texts, tokensBefore) {
    const length = texts.reduce((sum, text) => sum + text.length, 0), {contextLength} = info;
    if (length < SHORT * contextLength) return;
    const tokens = tokensBefore + Math.ceil(length / engine.longestToken);
    if (tokens <= contextLength) return;
    throw new GemmaError('context-full', `the prompt has more than ${tokens} tokens, the context holds ${contextLength}; shorten it or load with a larger context`);
}

function needConversation(id) {
    const conversation = conversations.get(id);
    if (!conversation) throw new GemmaError('bad-argument', 'this session has been closed');
    return conversation;
}

answer(workerPort, {
    /** What a model would do here; see probe.js. */
    async probe({source, options}, {signal}) {
        requireWebAssembly();
        const {probe} = await import('./probe.js');
        return probe(source, options, signal);
    },

    async load({source: description, options}, {signal, emit}) {
        requireWebAssembly();
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
        const conversation = new Conversation(engine, style, history);
        refuseTooLong(history.map(({content}) => content), 0);
        const tokens = conversation.length;
        conversations.set(++lastConversation, conversation);
        return {id: lastConversation, tokens};
    },

    closeSession({session}) {
        conversations.delete(session);
    },

    /** Emits {text} and {phase: 'prefill', done, total}. */
    prompt: ({session, prompt, raw, options}, {signal, emit}) => inTurn(signal, async () => {
        const conversation = needConversation(session);
        const isText = typeof prompt === 'string';
        if (!isText && (raw || !Array.isArray(prompt))) {
            throw new GemmaError('bad-argument', 'a prompt is a text, or without raw an array of messages');
        }
        const messages = isText ? [{role: 'user', content: prompt}] : prompt;
        refuseTooLong(messages.map((message) => String(message?.content)), raw ? 0 : conversation.length);
        const ids = raw ? engine.tokenize(prompt, {bos: engine.addsBos})
            : conversation.ask(messages);
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
        const isSaid = !raw && (kept.length || generated.finishReason !== 'abort');
        if (isSaid) conversation.answered(ids, kept);
        const {timings, text, ...rest} = generated;
        return {
            text, ...rest, promptTokens: ids, timings: {loadMs: info.loadMs, ...timings}, memoryBytes: engine.memoryBytes,
            tokensHeld: conversation.length, ...isSaid && {said: [...messages, {role: 'assistant', content: text}]},
        };
    }, () => ({
        text: '', tokens: [], promptTokens: [], finishReason: 'abort', cachedTokens: 0, seed: options.sampling.seed ?? 0, memoryBytes: engine.memoryBytes,
        timings: {loadMs: info.loadMs, prefillTokens: 0, prefillMs: 0, decodeTokens: 0, decodeMs: 0}, tokensHeld: conversations.get(session)?.length ?? 0,
    })),
});
