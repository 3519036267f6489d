// The types of the Prompt API fit those of @types/dom-chromium-ai: code that was written for the browser's
// LanguageModel takes ours. Compiled by tests/api/prompt_api_types.test.js; never run.

/// <reference types="dom-chromium-ai" />
import {install, languageModel, type LanguageModelClass, type LanguageModelInstance} from '../../web/api/prompt-api.js';

declare const file: Blob;
declare const options: LanguageModelCreateOptions;
declare const core: LanguageModelCreateCoreOptions;
declare const input: LanguageModelPrompt;
declare const asked: LanguageModelPromptOptions;
declare const signal: AbortSignal;

/** Somebody's code for the browser's class. */
async function ask(Model: typeof LanguageModel): Promise<string> {
    const session = await Model.create({
        initialPrompts: [{role: 'system', content: 'Be brief.'}],
        monitor: (monitor) => monitor.addEventListener('downloadprogress', (event) => console.log(event.loaded)),
    });
    session.addEventListener('contextoverflow', () => {});
    session.oncontextoverflow = (event) => console.log(event.type);
    const clone: LanguageModel = await session.clone({signal});
    for await (const chunk of clone.promptStreaming(input, asked)) console.log(chunk.length);
    return session.prompt('Hello', {responseConstraint: {type: 'string'}});
}

export async function use(): Promise<void> {
    const Model: LanguageModelClass = install({model: file, userActivation: false, load: {contextLength: 4096}});
    await ask(Model);
    const availability: Availability = await languageModel({model: 'model.gguf'}).availability(core);
    const session: LanguageModelInstance = await Model.create(options), theirs: LanguageModel = session;
    const stream: ReadableStream<string> = session.promptStreaming(input, asked);
    await session.append(input, {signal});
    const usage: number = await session.measureContextUsage(input, asked);
    const params: LanguageModelParams = await Model.params();
    session.destroy();
    console.log(availability, theirs.contextWindow, stream.locked, usage, params.maxTopK);
    // @ts-expect-error a mode that there is not
    await Model.create({samplingMode: 'wild'});
    // @ts-expect-error a model is needed
    install({});
}
