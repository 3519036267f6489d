// The page itself, used as a person uses it: how long it keeps its main thread while an answer streams, and
// what the browser computes after it.
//
// Owns: how the page at work and at rest is measured. Must not know: the engine, other contenders.

import {basename, dirname} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {serve} from '../../web/node/server.js';
import {figures, opened, set} from '../browser/harness/app.js';
import {Page} from '../browser/harness/page.js';
import {createVisitor} from './chromium.js';
import {cpuDuring, promptText} from './shared.js';

export const title = 'the page in Chromium';

// times as long as the others', so that it streams for some seconds
const ANSWER = 4;
// from the end of the answer until its CPU time is looked at, and for how long
const REST_MS = 2000, WATCH_MS = 5000;

/**
 * Samples have `page`: long tasks (50 ms and more) while an answer streams, ms of the longest, or 0, and % of
 * one core that the whole browser computes afterwards.
 * @param {import('./shared.js').Job} job
 */
export async function start(job) {
    const visitor = await createVisitor();
    const server = await serve({port: 0, models: dirname(job.model)});
    return {
        round: (round) => visitor.visit(server.url, async (tab, pid) => {
            const page = new Page(title, {
                evaluate: (source, args) => tab.evaluate(`(${source})(...${JSON.stringify(args)})`),
                click: (selector) => tab.click(selector),
            });
            await set(page, {threads: job.threads, maxTokens: ANSWER * job.maxTokens, seed: 1});
            await page.fill('#url', `${server.url}models/${encodeURIComponent(basename(job.model))}`);
            await page.click('#url-form button');
            if (await opened(page) === 'chat') await page.click('#tab-writer');
            await page.fill('#text', promptText(job.prompts[0], 1000 * (round + 1)));
            const tasks = await page.evaluate(longTasks);
            await sleep(REST_MS - tasks.since);
            const idle = await cpuDuring(pid, WATCH_MS),
                {Reading: reading, Writing: writing, Threads: threads} = await figures(page);
            return {
                page: {longTasks: tasks.durations.length, longest: Math.max(0, ...tasks.durations), idle},
                facts: {threads: parseInt(threads), answer: `reading ${reading}, writing ${writing}`},
            };
        }),
        async close() {
            await server.close();
            visitor.leave();
        },
    };
}

/** Runs in the page: has the text continued. `since`: ms from the end of the answer until this returned. */
async function longTasks() {
    const button = document.getElementById('continue'), entries = [],
        keep = (list) => entries.push(...list.getEntries());
    const observer = new PerformanceObserver(keep);
    observer.observe({type: 'longtask', buffered: true});
    const start = performance.now();
    button.click();
    await new Promise((ended) => {
        new MutationObserver(() => button.textContent === 'Continue' && ended()).observe(button,
            {childList: true});
    });
    const end = performance.now();
    await new Promise((later) => setTimeout(later, 200));       // entries come after their tasks
    keep({getEntries: () => observer.takeRecords()});
    observer.disconnect();
    const durations = entries.filter((task) => task.startTime + task.duration > start && task.startTime < end)
        .map(({duration}) => duration);
    return {durations, since: performance.now() - end};
}
