// A program of somebody else, in TypeScript. types.test.js compiles it, and nobody runs it. A line that
// follows a @ts-expect-error must be wrong.

import {Gemma, GemmaError} from 'gemma-wasm';
import type {
    Asked, Logprob, Probe, Progress, Room, Shape, Stored, Info, LoadOptions, Message, PromptOptions, Result, Sampling, Session, TokenLogprobs,
} from 'gemma-wasm';
import {GemmaChat} from 'gemma-wasm/element';

const options: LoadOptions = {
    threads: 2, kvType: 'int8', sessions: 3, onProgress: (progress) => console.log(progress.phase),
};

export async function use(file: File): Promise<string> {
    const probe: Probe = await Gemma.probe(file, {contextLength: 512}), shape: Shape = probe.shape;
    const speed: number | undefined = probe.fits ? probe.decode : undefined;

    const gemma: Gemma = await Gemma.load('https://example.org/model.gguf', options);
    const info: Info = gemma.info, variant: 'simd128' | 'relaxed' = info.variant;

    const sampling: Sampling = {temperature: 0, logitBias: {5: -Infinity}},
        history: Message[] = [{role: 'user', content: 'Good day.'}];
    const session: Session = await gemma.session({system: 'Be brief.', history, sampling});
    const asked: PromptOptions = {maxTokens: 20, stop: ['.'], logprobs: 3, signal: AbortSignal.timeout(1000)};
    const answer = session.prompt('The sea', asked);
    let text = '';
    for await (const piece of answer) text += piece.toUpperCase();
    const result: Result = await answer.result, first: TokenLogprobs | undefined = result.logprobs?.[0];

    const branch: Session = await session.clone();
    const careful = await gemma.session({
        overflow: 'drop-oldest', pinned: 1, onOverflow: ({dropped, tokens}) => console.log(dropped[0].role, tokens),
    });
    await careful.append(history, {signal: asked.signal});
    const fits: boolean = await careful.count('The sea') <= careful.tokensLeft && await gemma.count(history) > 0;
    await careful.rewind(0);
    const again: Session = await gemma.restore(await branch.save());
    const [vector]: Float32Array[] = await gemma.embed(['The sea', 'The ocean'], {signal: asked.signal});
    const ids: number[] = await gemma.tokenize('The sea', {bos: true});
    const models = await Gemma.models.list(), names: string[] = models.map(({name}) => name);

    // @ts-expect-error an option that there is not
    await Gemma.load(file, {nThreads: 1});
    // @ts-expect-error a number is no prompt
    session.prompt(5);
    // @ts-expect-error role is system, user or assistant
    await gemma.session({history: [{role: 'bot', content: 'x'}]});
    // @ts-expect-error the texts come as an array
    await gemma.embed('The sea');
    // @ts-expect-error finishReason has four values
    if (result.finishReason === 'done') text = '';

    await again.close();
    gemma.close();
    return [text, fits, speed, variant, first?.logprob, vector.length, ids.length, names].join();
}

export function codeOf(error: unknown): string {
    return error instanceof GemmaError ? error.code : 'unknown';
}

// All types that the reference names have their names here.
export type Named = Asked | Logprob | Progress | Room | Stored;
export const chat: GemmaChat = document.createElement('gemma-chat');
export const engine: Gemma | undefined = chat.engine;
