// types.js: what requests and answers are, as the openai package has them. Requests are wider here, answers
// narrower: so either side's types fit the other's code.

/**
 * @typedef {{type: 'text', text: string} | {type: 'refusal', refusal: string} | {type: string}}
 *     ContentPart   text is what is read
 * @typedef {{id: string, type: 'function', function: {name: string, arguments: string}}}
 *     ToolCall   arguments: JSON
 * @typedef {ToolCall | {id: string, type: 'custom', custom: object}} ToolCallParam
 *
 * @typedef {{role: 'system' | 'developer' | 'user', content: string | ContentPart[], name?: string} | {role:
 *     'assistant', content?: string | ContentPart[] | null, refusal?: string | null, tool_calls?:
 *     ToolCallParam[], name?: string} | {role: 'tool', content: string | ContentPart[], tool_call_id: string}
 *     | {role: 'function', content: string | null, name: string}} MessageParam   'function' is refused, as is
 *     what is not text
 *
 * @typedef {{type: 'function', function: {name: string, description?: string, parameters?: Record<string,
 *     unknown>, strict?: boolean | null}} | {type: 'custom', custom: object}} ToolParam
 * @typedef {'none' | 'auto' | 'required' | {type: 'function', function: {name: string}} | {type: 'custom',
 *     custom: object} | {type: 'allowed_tools', allowed_tools: {mode: 'auto' | 'required', tools:
 *     Record<string, unknown>[]}}} ToolChoiceParam
 * @typedef {{type: 'text'} | {type: 'json_object', schema?: string | object} | {type: 'json_schema',
 *     json_schema: {name: string, description?: string, schema?: Record<string, unknown>, strict?: boolean |
 *     null}} | {type: 'grammar', grammar: string}} ResponseFormat   strict: an object has no properties but
 *     those that the schema names
 *
 * @typedef {object} CommonFields         null means "not given"
 * @property {string | null} [model]      any: there is one
 * @property {{include_usage?: boolean, include_obfuscation?: boolean} | null} [stream_options]
 * @property {number | null} [temperature]         0 to 2
 * @property {number | null} [top_p]
 * @property {number | null} [frequency_penalty]   -2 to 2
 * @property {number | null} [presence_penalty]    -2 to 2
 * @property {string | string[] | null} [stop]
 * @property {number | null} [seed]
 * @property {number | null} [n]          texts, written in one batch
 * @property {Record<string, number> | null} [logit_bias]   by token id; -100 forbids it
 * @property {ResponseFormat | null} [response_format]
 * @property {number | null} [top_k]      ours, as those that follow
 * @property {number | null} [min_p]
 * @property {number | null} [repetition_penalty]
 * @property {number | null} [repeat_penalty]      the same
 * @property {string | null} [grammar]    in GBNF; what the answer must be
 * @property {string | null} [regex]      what it must match
 * @property {string[] | null} [choices]  what it must be one of
 * @property {boolean | null} [cache_prompt]       false: nothing is reused, and nothing kept
 * @property {object | null} [extra_body]          more fields
 * @property {AbortSignal | null} [signal]         as abortSignal and RequestOptions.signal
 * @property {AbortSignal | null} [abortSignal]
 *
 * @typedef {object} ChatOnlyFields
 * @property {MessageParam[]} messages    the assistant's, if it is the last, is continued
 * @property {number | null} [max_tokens]
 * @property {number | null} [max_completion_tokens]        the same
 * @property {boolean | null} [logprobs]
 * @property {number | null} [top_logprobs]                 0 to 20
 * @property {ToolParam[] | null} [tools]
 * @property {ToolChoiceParam | null} [tool_choice]
 * @property {boolean | null} [parallel_tool_calls]         false: at most one call
 *
 * @typedef {object} CompletionOnlyFields
 * @property {string | string[] | number[] | number[][] | null} [prompt]   texts, or token ids
 * @property {number | null} [max_tokens]          default: 16
 * @property {number | null} [logprobs]            0 to 20
 * @property {boolean | null} [echo]               the prompt comes first, with its probabilities
 *
 * @typedef {CommonFields & ChatOnlyFields} ChatFields
 * @typedef {CommonFields & CompletionOnlyFields} CompletionFields
 *
 * @typedef {object} RequestOptions       what else the openai package has there counts for nothing here
 * @property {AbortSignal | null} [signal]
 * @property {number} [timeout]           milliseconds
 *
 * @typedef {{prompt_tokens: number, completion_tokens: number, total_tokens: number, prompt_tokens_details:
 *     {cached_tokens: number}}} Usage
 * @typedef {{cache_n: number, prompt_n: number, prompt_ms: number, predicted_n: number, predicted_ms: number,
 *     predicted_per_second: number}} Timings
 *
 * @typedef {{token: string, logprob: number, bytes: number[], top_logprobs: {token: string, logprob: number,
 *     bytes: number[]}[]}} ChatLogprob
 * @typedef {{content: ChatLogprob[] | null, refusal: null}} ChatLogprobs
 *
 * @typedef {object} ChatChoice
 * @property {number} index
 * @property {{role: 'assistant', content: string | null, refusal: null, tool_calls?: ToolCall[]}} message
 * @property {'stop' | 'length' | 'tool_calls'} finish_reason
 * @property {ChatLogprobs | null} logprobs
 *
 * @typedef {object} ChatCompletion
 * @property {string} id
 * @property {'chat.completion'} object
 * @property {number} created
 * @property {string} model
 * @property {string} system_fingerprint
 * @property {ChatChoice[]} choices
 * @property {Usage} usage
 * @property {Timings} timings
 *
 * @typedef {{index: number, id?: string, type?: 'function', function: {name?: string, arguments?: string}}}
 *     ToolCallDelta
 *
 * @typedef {object} ChatChunkChoice
 * @property {number} index
 * @property {{role?: 'assistant', content?: string | null, refusal?: null, tool_calls?:
 *     ToolCallDelta[]}} delta
 * @property {'stop' | 'length' | 'tool_calls' | null} finish_reason
 * @property {ChatLogprobs | null} logprobs
 *
 * @typedef {object} ChatChunk
 * @property {string} id
 * @property {'chat.completion.chunk'} object
 * @property {number} created
 * @property {string} model
 * @property {string} system_fingerprint
 * @property {ChatChunkChoice[]} choices
 * @property {Usage | null} [usage]
 * @property {Timings} [timings]          with the usage
 *
 * @typedef {object} CompletionLogprobs
 * @property {string[]} tokens
 * @property {number[]} token_logprobs    null for a token that nothing comes before; the openai package's
 *     types don't say so, either
 * @property {Record<string, number>[]} top_logprobs   the same
 * @property {number[]} text_offset       characters of the choice's text
 *
 * @typedef {{index: number, text: string, finish_reason: 'stop' | 'length', logprobs: CompletionLogprobs |
 *     null}} CompletionChoice
 * @typedef {Omit<CompletionChoice, 'finish_reason'> & {finish_reason: 'stop' | 'length' | null}}
 *     CompletionChunkChoice
 *
 * @typedef {object} Completion
 * @property {string} id
 * @property {'text_completion'} object
 * @property {number} created
 * @property {string} model
 * @property {string} system_fingerprint
 * @property {CompletionChoice[]} choices
 * @property {Usage} [usage]
 * @property {Timings} [timings]
 *
 * @typedef {{input: string | string[] | number[] | number[][], model?: string | null, encoding_format?:
 *     'float' | 'base64' | null, dimensions?: number | null, user?: string | null}}
 *     EmbeddingFields   dimensions: all of them
 * @typedef {{object: 'list', data: {object: 'embedding', index: number, embedding: number[]}[], model:
 *     string, usage: {prompt_tokens: number, total_tokens: number}}} EmbeddingList   base64: embedding is
 *     a string
 *
 * @typedef {{id: string, object: 'model', created: number, owned_by: string}} Model
 * @typedef {{object: 'list', data: Model[]} & AsyncIterable<Model>} ModelPage
 */

export {};
