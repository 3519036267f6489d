// The types of the OpenAI door fit those of the openai package: requests that were written for it are taken,
// and answers are given to code that wants its own. Compiled by tests/api/openai_types.test.js; never run.

import type OpenAI from 'openai';
import {
    OpenAI as Ours, type ChatCompletion, type ChatCompletionChunk, type Completion, type CreateEmbeddingResponse,
    type Model,
} from '../../web/api/openai.js';
import {OpenAI as Helped} from '../../web/api/openai-helpers.js';

declare const client: Ours;
declare const asked: OpenAI.ChatCompletionCreateParamsNonStreaming;
declare const streamed: OpenAI.ChatCompletionCreateParamsStreaming;
declare const either: OpenAI.ChatCompletionCreateParams;
declare const completing: OpenAI.CompletionCreateParamsNonStreaming;
declare const embedding: OpenAI.EmbeddingCreateParams;
declare const signal: AbortSignal;

export async function requests() {
    const answer: OpenAI.ChatCompletion = await client.chat.completions.create(asked, {signal});
    const chunks: AsyncIterable<OpenAI.ChatCompletionChunk> = await client.chat.completions.create(streamed);
    const any: OpenAI.ChatCompletion | AsyncIterable<OpenAI.ChatCompletionChunk> =
        await client.chat.completions.create(either);
    const completion: OpenAI.Completion = await client.completions.create(completing);
    const texts: AsyncIterable<OpenAI.Completion> = await client.completions.create({...completing, stream: true});
    const vectors: OpenAI.CreateEmbeddingResponse = await client.embeddings.create(embedding);
    const model: OpenAI.Model = await client.models.retrieve('x');
    for await (const each of client.models.list()) each satisfies OpenAI.Model;
    for await (const chunk of chunks) (chunk.choices[0]?.delta.content ?? '') satisfies string;
    const {data} = await client.chat.completions.create(asked).withResponse();
    return [answer, any, completion, texts, vectors, model, data satisfies OpenAI.ChatCompletion];
}

/** The helpers. */
export async function helpers(helped: Helped) {
    clients.push(helped);
    const stream = helped.chat.completions.stream(streamed).on('content', (delta) => delta);
    const final: OpenAI.ChatCompletion = await stream.finalChatCompletion();
    const {choices: [{message}]} = await helped.chat.completions.parse(asked);
    for await (const chunk of helped.chat.completions.stream(asked)) chunk satisfies OpenAI.ChatCompletionChunk;
    const runner = helped.chat.completions.runTools({
        ...asked, tools: [{type: 'function', function: {name: 'now', parameters: {}, function: () => 'noon'}}],
    });
    return [final, message.parsed, await runner.finalContent()];
}

// What one turn answered is a message of the next.
export const next = (answer: ChatCompletion): OpenAI.ChatCompletionMessageParam[] =>
    answer.choices.map(({message}) => message);
export const answers = (
    answer: ChatCompletion, chunk: ChatCompletionChunk, completion: Completion, list: CreateEmbeddingResponse,
    model: Model,
): [
    OpenAI.ChatCompletion, OpenAI.ChatCompletionChunk, OpenAI.Completion, OpenAI.CreateEmbeddingResponse, OpenAI.Model,
] => [answer, chunk, completion, list, model];

/** What code asks of a client that was written for the openai package. */
interface Client {
    chat: {completions: {
        create(body: OpenAI.ChatCompletionCreateParamsNonStreaming, options?: {signal?: AbortSignal}):
            PromiseLike<OpenAI.ChatCompletion>,
    }};
    completions: {create(body: OpenAI.CompletionCreateParamsNonStreaming): PromiseLike<OpenAI.Completion>};
    embeddings: {create(body: OpenAI.EmbeddingCreateParams): PromiseLike<OpenAI.CreateEmbeddingResponse>};
    models: {list(): PromiseLike<{data: OpenAI.Model[]}>};
}
export const clients: Client[] = [client];
declare const theirs: OpenAI;
clients.push(theirs);

// Our own fields, and null for what is not given.
export const own = client.chat.completions.create({
    messages: [{role: 'user', content: 'x'}], top_k: 40, min_p: 0.1, repetition_penalty: 1.1, regex: '[ab]',
    model: null, temperature: null, stop: null, stream: null,
});
// @ts-expect-error: a misspelt field
export const misspelt = client.chat.completions.create({messages: [], temprature: 1});
// @ts-expect-error: a field of another kind
export const odd = client.chat.completions.create({messages: [], temperature: '1'});
