// The types of the adapters fit those of the packages that they are for. Compiled by
// tests/api/ai_sdk.test.js; never run.

import type {EmbeddingModelV3, LanguageModelV3} from '@ai-sdk/provider';
import {generateText} from 'ai';
import type {Connect} from 'deep-chat/dist/types/connect.js';
import {createGemma} from '../../web/api/ai-sdk.js';
import {connectDeepChat} from '../../web/api/deep-chat.js';
import type {Gemma} from '../../web/gemma.js';

declare const gemma: Gemma;

export const provider = createGemma(gemma, {model: 'gemma'});
export const model: LanguageModelV3 = provider();
export const embedding: EmbeddingModelV3 = provider.embeddingModel('gemma');
export const answer = generateText({model: provider.languageModel(), prompt: 'Hello'});
export const connect: Connect = connectDeepChat(Promise.resolve(gemma), {system: 'Be brief.', maxTokens: 100});
