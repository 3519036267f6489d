// types.js: the types of the Prompt API. They fit those of @types/dom-chromium-ai.

/**
 * @typedef {object} PromptApiOptions
 * @property {import('../../gemma.js').ModelSource | import('../../gemma.js').Gemma} model   what Gemma.load
 *   takes, or a loaded model, which stays the caller's
 * @property {import('../../gemma.js').LoadOptions} [load]   for Gemma.load
 * @property {readonly string[]} [languages]   what expectedInputs and expectedOutputs may name; default:
 *   every language that has a name
 * @property {boolean} [userActivation]   whether a download begins only once the user has clicked or typed
 *   in the page, as in browsers; default: true
 * @property {number} [toolRounds]     how often an answer may call tools before it must end in words;
 *   default: 8
 * @property {number} [unloadAfter]    milliseconds for which the model stays loaded without a session;
 *   default: 60,000
 *
 * @typedef {'unavailable' | 'downloadable' | 'downloading' | 'available'} Availability
 * @typedef {'most-predictable' | 'predictable' | 'slightly-predictable' | 'balanced' | 'slightly-creative' |
 *   'creative' | 'most-creative'} SamplingMode
 * @typedef {'text' | 'image' | 'audio' | 'tool-call' | 'tool-response'} ContentType
 * @typedef {{type: ContentType, languages?: string[]}} Expected
 * @typedef {{name: string, description: string, inputSchema: object, execute: (...args: any[]) =>
 *   Promise<string>}} Tool
 * @typedef {{role: 'system' | 'user' | 'assistant', content: string | {type: ContentType, value: any}[],
 *   prefix?: boolean}} Message
 *
 * @typedef {object} CreateCoreOptions
 * @property {Expected[]} [expectedInputs]
 * @property {Expected[]} [expectedOutputs]
 * @property {Tool[]} [tools]
 * @property {SamplingMode} [samplingMode]   default: 'balanced'
 * @property {number} [topK]           instead of a mode, as temperature is
 * @property {number} [temperature]
 *
 * @typedef {CreateCoreOptions & {signal?: AbortSignal, monitor?: (monitor: any) => void, initialPrompts?:
 *   Message[]}} CreateOptions
 * @typedef {{responseConstraint?: object, omitResponseConstraintInput?: boolean, signal?: AbortSignal}}
 *   PromptOptions
 *
 * @typedef {object} SessionMembers
 * @property {(input: string | Message[], options?: PromptOptions) => Promise<string>} prompt
 * @property {(input: string | Message[], options?: PromptOptions) => ReadableStream<string>} promptStreaming
 * @property {(input: string | Message[], options?: {signal?: AbortSignal}) => Promise<undefined>} append
 * @property {(input: string | Message[], options?: PromptOptions) => Promise<number>} measureContextUsage
 * @property {(input: string | Message[], options?: PromptOptions) => Promise<number>} measureInputUsage
 *   deprecated, as the next two and the last handler
 * @property {number} inputUsage
 * @property {number} inputQuota
 * @property {number} contextUsage
 * @property {number} contextWindow
 * @property {number} topK
 * @property {number} temperature
 * @property {SamplingMode | null} samplingMode   null where topK or temperature was given
 * @property {((event: Event) => any) | null} oncontextoverflow
 * @property {((event: Event) => any) | null} onquotaoverflow
 * @property {(options?: {signal?: AbortSignal}) => Promise<LanguageModelInstance>} clone
 * @property {() => undefined} destroy
 *
 * @typedef {EventTarget & SessionMembers} LanguageModelInstance
 *
 * @typedef {{defaultTopK: number, maxTopK: number, defaultTemperature: number, maxTemperature: number}}
 *   Params
 *
 * @typedef {object} ClassMembers
 * @property {LanguageModelInstance} prototype
 * @property {(options?: CreateOptions) => Promise<LanguageModelInstance>} create
 * @property {(options?: CreateCoreOptions) => Promise<Availability>} availability
 * @property {() => Promise<any>} params   Params, or null where the model is not available.
 *   (@types/dom-chromium-ai has no null)
 *
 * @typedef {ClassMembers & (abstract new () => LanguageModelInstance)} LanguageModelClass
 */

export {};
