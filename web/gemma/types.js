// The types of the public API: what callers give, and what they get. gemma.js exports them all by their names.

/**
 * @typedef {import('../base/asked.js').Asked} Asked
 * @typedef {import('../engine/engine_session.js').Logprob} Logprob
 * @typedef {import('../engine/module.js').Shape} Shape
 * @typedef {import('../engine/probe.js').Probe} Probe
 * @typedef {import('../weights/file/progress.js').Progress} Progress
 * @typedef {import('../weights/store/room.js').Room} Room
 * @typedef {import('../weights/store/store.js').Stored} Stored
 */

/**
 * @typedef {string | URL | Blob | Blob[] | {kind: 'url', url: string} & Origin | {kind: 'file', file: Blob,
 *     manifest?: object} | {kind: 'path', path: string} | {kind: 'synthetic', shape: string, type: string} |
 *     Entry} ModelSource a GGUF or its manifest (FILE.gguf.json) by URL (under Node also by path or file:
 *     URL; a blob: or data: URL is a GGUF), the id of a stored model, a File, several (a GGUF or all its
 *     parts, with its manifest), or an entry of a catalogue, which is refused before anything of it is
 *     downloaded if it can't run here. A model that was cut into NAME-00001-of-00003.gguf and so on is given
 *     by its first part
 *
 * @typedef {import('../engine/entry.js').Subject & {urls: string[], sha256?: string, manifest?: string}}
 *     Entry   as in app/models.json
 *
 * @typedef {object} Origin               more about a model that comes by URL
 * @property {string[]} [urls]            more addresses of the same file, asked when the first does not
 *     give it
 * @property {Record<string, string>} [headers]   sent along, for hosts that want a token; kept nowhere
 * @property {object | string | URL} [manifest]   what `build/quantize --manifest` writes beside a GGUF, or
 *     its address: each chunk is compared with its digest there, and one that --split wrote comes from
 *     its parts
 * @property {string} [sha256]            of the whole file, in hex; compared with what is downloaded, stored,
 *     chosen or read from a path
 *
 * @typedef {object} Watched
 * @property {AbortSignal} [signal]
 * @property {(progress: import('../weights/file/progress.js').Progress) => void} [onProgress]   bytes, bytes
 *     per second, and sentences for the user
 *
 * @typedef {object} EngineOptions
 * @property {number} [threads]         default: all cores, up to 8; at most 64; one where the page is not
 *     cross-origin isolated
 * @property {number} [contextLength]   tokens that a conversation can hold; default: the model's, up to
 *     8,192, or up to 4,096 where info.nEmbd is 3,072 or more. Where memory is short, the default is halved
 *     until it fits, down to 512
 * @property {boolean} [chat]           whether the model knows turns; default: what its metadata says
 * @property {'simd128' | 'relaxed'} [variant]  default: the fastest that computes correctly here
 * @property {'i32' | 'i16'} [dot]      which of relaxed SIMD's dot products, with the same results; default:
 *     the faster one here
 * @property {boolean} [memory64]       default: only for models that 4 GB can't hold
 * @property {'f16' | 'int8'} [kvType]  keys and values as halves (default) or as bytes: half the memory of a
 *     context, and long ones are faster
 * @property {number} [sessions]        how many full contexts to allow memory for; default: 4, on
 *     small devices 2
 * @property {string | URL} [baseUrl]   of a copy of the package's dist/npm/ that the page's host serves: for
 *     bundlers that move no workers and modules (esbuild, Rollup). Default: they lie where the library's
 *     script does, or where the bundler has put them
 * @property {boolean} [exact]          float arithmetic throughout: slow, for comparisons
 *
 * @typedef {Watched & Origin & EngineOptions & {update?: boolean, shared?: boolean, speed?: boolean}}
 *     LoadOptions   update: asks the address whether it still has the file that is stored, and if not, puts
 *     the new one in its place; without the network, what is stored runs. shared: tabs of this origin that
 *     load the same model with the same options share one engine, in the tab that came first; when that
 *     closes, the next takes over, and answers continue there. Where that can't be (see info.shared), this
 *     tab has its own. speed: for probe alone; false says whether it fits, and measures nothing
 *
 * @typedef {object} Info
 * @property {string} architecture      'gemma', 'gemma2', 'gemma3'
 * @property {string} name
 * @property {number} nVocab            tokens of the vocabulary
 * @property {number} nEmbd             numbers of a hidden state, and of an embedding
 * @property {boolean} chat             taught to chat
 * @property {'turns' | 'functions' | 'chatml' | 'llama2' | 'llama3' | 'mistral' | 'phi3' | 'phi4' | 'zephyr'
 *     | 'openchat' | 'vicuna' | 'alpaca' | 'transcript'} chatStyle   whose turns a conversation is written
 *     in: 'turns' are Gemma's own, 'functions' FunctionGemma's, others are those of the file's template.
 *     'transcript': a plain-text dialogue, for base models and where the template is another one
 * @property {'simd128' | 'relaxed'} variant
 * @property {'simd128' | 'relaxed' | 'relaxed16'} kernels   the variant's kernels that were the fastest here
 * @property {boolean} memory64         whether its memory has addresses of 64 bits
 * @property {number} threads
 * @property {boolean} threadsFailed    more threads were to be, but they did not start: loading again
 *     may help
 * @property {number} contextLength
 * @property {number} memoryBytes       of the engine's memory
 * @property {boolean} addsBos          whether its texts begin with the token <bos>
 * @property {number} loadMs
 * @property {boolean} shared           whether other tabs may use the same engine
 *
 * @typedef {import('../engine/conversation.js').Message} Message   {role: 'system' | 'user', content}, {role:
 *     'assistant', content, toolCalls?}, or what a tool gave back: {role: 'tool', name, content}
 * @typedef {import('../engine/conversation.js').ToolCall} ToolCall   {name, arguments}
 * @typedef {import('../constraint/tool_answer.js').ToolCallEvent} ToolCallEvent   {type: 'call', index,
 *     name}, then {type: 'arguments', index, text} for each piece of JSON, then {type: 'called', index,
 *     name, arguments}
 * @typedef {import('../constraint/tools.js').Tool} Tool   {name, description, parameters}; parameters: a JSON
 *     Schema of an object
 *
 * @typedef {object} Sampling           applied in this order. What neither the prompt nor its session gives
 *     has the default
 * @property {Record<number, number>} [logitBias]   by token id
 * @property {number} [repeatPenalty]   default: 1, which is off; penalties look at the last 64 tokens
 * @property {number} [presencePenalty] default: 0, which is off
 * @property {number} [frequencyPenalty] default: 0, which is off
 * @property {number} [topK]            default: 64; 0: off
 * @property {number} [topP]            default: 0.95; 1: off
 * @property {number} [minP]            default: 0, which is off
 * @property {number} [temperature]     default: 0.8; 0: always the likeliest token
 * @property {number} [seed]            equal seeds give equal texts; default: another each time
 *
 * @typedef {import('../engine/constraints.js').ConstraintOptions} ConstraintOptions
 *
 * @typedef {object} PromptOptions
 * @property {AbortSignal} [signal]     ends the answer with finishReason 'abort'
 * @property {Sampling} [sampling]
 * @property {number} [maxTokens]       default: until the context is full
 * @property {string | string[]} [stop]   texts that end the answer, but not within its tool calls; they are not
 *     part of it. The name of a control token ends it where the model writes that token
 * @property {number} [logprobs]        also report each token's probability, and those of this many of the
 *     likeliest alternatives (0 to 20)
 * @property {number} [promptLogprobs]  the same of the prompt's tokens, which are then all evaluated
 * @property {number} [promptLogprobsFrom]   only of the tokens from this one on; those before need not be
 *     evaluated again
 * @property {import('./constraint.js').Constraint | ConstraintOptions} [constraint]   what the answer must
 *     be, from its first character to its last; where it continues a message of the assistant's, what both
 *     are together; with tools it may be calls instead
 * @property {Tool[]} [tools]           that the answer may call, after what it says
 * @property {'auto' | 'none' | 'required' | {name: string}} [toolChoice]   default 'auto': the model decides;
 *     'required': it calls at least one, and says nothing; a name: it calls this one
 * @property {(event: ToolCallEvent) => void} [onToolCall]   each call as it is written
 * @property {boolean} [parallelToolCalls]   false: at most one call
 * @property {boolean} [raw]            continue the text, or the token ids, as they are: no turns, and
 *     nothing remembered
 * @property {boolean} [stateless]      the messages are the whole conversation: nothing is remembered, and
 *     what the session has evaluated of them is not evaluated again
 * @property {(piece: {text: string, logprobs?: TokenLogprobs[]}) => void} [onText]   each piece of the text;
 *     logprobs: of the tokens since the last piece, where they were asked for. A last piece without text has
 *     those of tokens that have none
 * @property {(progress: {phase: 'prefill', done: number, total: number}) => void} [onProgress]   tokens
 *     of the prompt
 *
 * @typedef {object} OverflowOptions     what happens where a conversation does not fit the context any more
 * @property {'error' | 'drop-oldest'} [overflow]   'error' (default): the prompt rejects with 'context-full',
 *     whose `requested` and `contextLength` say how many tokens there would be and how many there can be, and
 *     an answer ends with finishReason 'context'. 'drop-oldest': the oldest prompts are forgotten with their
 *     answers and calls: as few as it takes, and while an answer is written until a quarter of the context is
 *     free; never messages of the system, nor what is being asked. If all that is not enough, it is as with
 *     'error', and nothing is forgotten
 * @property {number} [pinned]          how many of the first messages are never forgotten either; default: 0
 * @property {(overflow: Overflow) => void} [onOverflow]   what was forgotten, once it is; before the
 *     prompt is answered
 *
 * @typedef {import('../engine/conversation.js').Overflow} Overflow   {dropped, tokens}: messages, and how
 *     many tokens were freed
 *
 * @typedef {object} CountOptions
 * @property {Tool[]} [tools]           that the prompt has
 * @property {PromptOptions['toolChoice']} [toolChoice]
 *
 * @typedef {import('../engine/generate.js').TokenLogprobs} TokenLogprobs   {id, logprob, top: [{id, logprob},
 *     ...]}: natural logarithms of probabilities before sampling parameters count, over the whole vocabulary
 *
 * @typedef {object} Result
 * @property {string} text
 * @property {number[]} promptTokens
 * @property {number[]} tokens          without the one that ended the answer
 * @property {'stop' | 'length' | 'context' | 'abort'} finishReason   'context': it is full
 * @property {number} cachedTokens      of the prompt, that had been evaluated before
 * @property {number} seed              with which the same text comes again
 * @property {'complete' | 'cut'} [constraint]   with a constraint: 'complete' is a whole text of it; 'cut'
 *     was ended before by length, a stop string, an abort, or since no token could continue it
 * @property {ToolCall[]} [toolCalls]   where there were tools: the calls that the answer ends with; `text` is
 *     what stands before them
 * @property {number} memoryBytes
 * @property {TokenLogprobs[]} [logprobs]   of `tokens`, where they were asked for
 * @property {(TokenLogprobs | null)[]} [promptLogprobs]   of `promptTokens`; null for the first, which
 *     nothing comes before, and for those before promptLogprobsFrom
 * @property {TokenLogprobs} [endToken]  with logprobs: the end-of-generation token that ended the text
 * @property {{loadMs: number, prefillTokens: number, prefillMs: number, decodeTokens: number, decodeMs:
 *     number}} timings   tokens evaluated
 */

export {};
