// constants.js: numbers of src/gemma.h. Written by wasm/constants.js.

export const VERSION = '0.1.0';
/** Codes of errors, by GemmaStatus. */
export const CODES = ['ok', 'bad-file', 'unsupported', 'no-memory', 'context-full', 'bad-argument', 'bad-numbers'];
export const ROLES = {system: 0, user: 1, assistant: 2, tool: 3};
/** GemmaPrecision. */
export const F16_CACHE = 0;
export const INT8_CACHE = 1;
export const EXACT = 2;
export const MAX_BATCH = 256;
export const MAX_DRAFT = 7;
export const MAX_LOGPROBS = 20;
export const MAX_LAYERS = 256;
export const MAX_VOCABULARY = 4194304;
/** GemmaTextFlags. */
export const ADD_BOS = 1;
export const PARSE_CONTROL = 2;
/** GemmaConversation. */
export const CONTINUED_CONVERSATION = 0;
export const NEW_CONVERSATION = 1;
/** What sampling gives where no token may come. */
export const NO_TOKEN = -1;
/** GemmaConstraint. */
export const AMBIGUOUS = -1;
export const COMPLETE = 2;
export const ENDED = 3;
