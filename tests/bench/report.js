// The figures as one HTML page that needs nothing else, and as a table for the terminal.
//
// Owns: how figures look. Must not know: how they were measured.

/** Colours, by contender. */
const NAMES = {'ours-chromium': 'ours', 'ours-node': 'ours2', wllama: 'wllama', native: 'native'};
const classOf = ({name, key}) => `${NAMES[name]} ${key.split(':')[1] ?? ''}`.trim();
const round = (x, digits = 3) => x >= 10 ** (digits - 1) ? x.toFixed(0) : x.toPrecision(digits);
const escape = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const measuredOf = ({contenders}) => contenders.filter(({points}) => points?.length);
const limitsOf = ({contenders}) => contenders.find(({limits}) => limits)?.limits;
const pageOf = ({contenders}) => contenders.find(({page}) => page);
const everyOf = ({contenders, comparisons}) => [
    ...contenders, ...comparisons.flatMap((comparison) => comparison.contenders),
];
const missingOf = (report) => everyOf(report).filter(({missing}) => missing);
/** What a page should keep to; shown beside what it does. */
const BARS = {longest: {value: 50, label: '50 ms'}, idle: {value: 1, label: '1 %'}};
/** Heads of tables. */
const HEADS = {
    prefill: (tokens) => `prefill ${tokens}`, last: (tokens) => `last 512 of ${tokens}`,
    decode: (tokens) => `decode at ${tokens}`,
};
/** Why a contender lacks rounds. */
const whyMissing = ({samples, missing}) => samples.length ? `in ${samples.length} rounds only: ${missing}`
    : `missing: ${missing}`;
const FACTS = {
    kernels: (x) => `kernels ${x}`, backend: String, release: String,
    nodeLlamaCpp: (x) => `node-llama-cpp ${x}`, browser: String,
    threads: (x) => `${x} threads`, answer: String,
};
const versionOf = ({facts}) => Object.keys(FACTS).filter((name) => facts[name] !== undefined)
    .map((name) => FACTS[name](facts[name])).join(', ');

/** What is told of a machine in a line. */
function machineLine({machine: {cpu, cores, memory, system, flags, node}, threads}) {
    const known = flags.length ? ` (${flags.join(', ')})` : '';
    return `${cpu}, ${cores} cores${known}, ${Math.round(memory / 2 ** 30)} GiB, ${system}; ${threads} threads; Node ${node.slice(1)}`;
}

/** Sentences on how near the best of ours comes to what the machine can do. */
function limitLines(report) {
    const limits = limitsOf(report), ours = measuredOf(report).find(({name}) => name.startsWith('ours'));
    if (!limits) return [];
    const dot = Math.max(limits.dot32.median, limits.dot16.median), {read} = limits;
    const lines = [`Memory read: ${round(read.median)} GB/s. Relaxed dot product: ${round(limits.dot32.median)} GMAC/s into 32 bits, ` +
        `${round(limits.dot16.median)} into 16.`];
    if (!ours) return lines;
    const prefill = Math.max(...ours.points.map((p) => p.prefill.median)) * report.macsPerToken / 1e9;
    const decode = Math.max(...ours.points.map((p) => p.decode.median)) * report.bytesPerToken / 1e9;
    return [...lines, `${ours.title}: prefill ${round(prefill)} GMAC/s in matrices, ${round(100 * prefill / dot, 2)} % of the dot product; ` +
        `decode ${round(decode)} GB/s of weights, ${round(100 * decode / read.median, 2)} % of the read.`];
}

/** How the page kept to its bars. */
function pageLines(report) {
    const {longTasks, longest, idle} = pageOf(report)?.page ?? {};
    if (!longest) return [];
    const most = longest.max ? `long tasks: ${longTasks.max} at most, the longest of ${longest.max} ms`
        : 'no long task';
    return [`The page, while an answer streamed: ${most} (bar: ${BARS.longest.label})` +
        (idle
            ? `; afterwards the whole browser took ${round(idle.median, 2)} % of a core (bar: < ${BARS.idle.label}).`
            : '.')];
}

/* ------------------------------------------------------------------------------------------ the terminal */

export function tableOf(report) {
    return [
        `${report.model}; ${machineLine(report)}`, '',
        ...markdown(report, ['prefill', 'decode'], report.repeat),
        ...report.comparisons.flatMap((comparison) => [
            comparison.title, '', ...markdown(comparison, comparison.kinds, report.repeat),
        ]),
        ...limitLines(report), ...pageLines(report),
        ...missingOf(report).map((c) => `${c.title}, ${whyMissing(c)}`),
    ].join('\n');
}

/** Medians in Markdown; in brackets, how many times as fast the first row is. `report`: or a comparison. */
function markdown(report, kinds, repeat) {
    const measured = measuredOf(report), base = measured[0];
    if (!base) return [];
    const cells = (contender) => kinds.flatMap((kind) => contender.points.map((point, i) => {
        const {median} = point[kind], ratio = base.points[i][kind].median / median;
        return contender === base ? round(median) : `${round(median)} (${ratio.toFixed(2)}x)`;
    }));
    const heads = kinds.flatMap((kind) => report.prompts.map(HEADS[kind]));
    const row = (list) => `| ${list.join(' | ')} |`;
    return [
        `Tokens per second, medians of ${repeat}; in brackets: ${base.title} is so many times as fast.`, '',
        row(['', ...heads]), row(['---', ...heads.map(() => '--:')]),
        ...measured.map((c) => row([c.title, ...cells(c)])), '',
    ];
}

/* ------------------------------------------------------------------------------------------ plots */

const PLOTS = {prefill: 'Prefill', last: 'Prefill of the last 512 tokens', decode: 'Decode'};
// of a plot; ROOM: right of the longest bar, for its figure
const WIDTH = 720, LABEL = 255, ROW = 30, ROOM = 150;
const svg = (height, title, body) =>
    `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escape(title)}">${body}</svg>`;
const text = (x, y, content, attributes = '') =>
    `<text x="${x}" y="${y}" ${attributes}>${escape(content)}</text>`;
const figure = (title, note, plot) =>
    `<figure><figcaption><b>${escape(title)}</b>${note ? ` ${escape(note)}` : ''}</figcaption>${plot}</figure>`;

/** The next of 1, 2, 5 times a power of ten, of which at most `count` lie up to `most`. */
function stepOf(most, count) {
    const rough = most / count, power = 10 ** Math.floor(Math.log10(rough));
    return [1, 2, 5, 10].map((m) => m * power).find((step) => step >= rough);
}

/**
 * A bar for each row; `parts` are stacked, min and max are a whisker. A limit is a line through all.
 * @param {{label: string, name: string, parts: {value: number, label?: string}[], min?: number, max?: number,
 *     figure: string}[]} rows
 * @param {{value: number, label: string}} [limit]
 */
function bars(title, rows, limit) {
    const total = (row) => row.parts.reduce((sum, {value}) => sum + value, 0);
    const most = Math.max(...rows.map((row) => Math.max(total(row), row.max ?? 0)), limit?.value ?? 0);
    const x = (value) => LABEL + value / most * (WIDTH - LABEL - ROOM), top = limit ? 22 : 4;
    const body = rows.map((row, i) => {
        const y = top + i * ROW, middle = y + ROW / 2;
        let from = 0;
        const stack = row.parts.map(({value, label}, part) => {
            const start = from;
            from += value;
            const width = Math.max(1, x(from) - x(start) - (label ? 1 : 0));
            return `<rect class="${row.name} part${part}" x="${x(start).toFixed(1)}" y="${y + 5}" width="${width.toFixed(1)}" ` +
                `height="${ROW - 10}" rx="3"><title>${escape(label ? `${label}: ${round(value)}` : row.figure)}</title></rect>`;
        }).join('');
        const [low, high] = [row.min, row.max].map((value) => x(value).toFixed(1));
        const whisker = row.max > row.min
            ? `<path class="whisker" d="M${low} ${middle}H${high}m0-4v8M${low} ${middle - 4}v8"/>` : '';
        return text(LABEL - 10, middle + 4, row.label, 'text-anchor="end"') + stack + whisker +
            text(x(Math.max(total(row), row.max ?? 0)) + 8, middle + 4, row.figure, 'class="value"');
    }).join('');
    const height = top + rows.length * ROW + 4;
    const half = limit && limit.label.length * 3.3;     // about
    const line = limit ? `<path class="limit" d="M${x(limit.value).toFixed(1)} ${top - 4}V${height}"/>` +
        text(Math.min(Math.max(x(limit.value), half), WIDTH - half).toFixed(1), 13, limit.label,
            'text-anchor="middle" class="soft"') : '';
    return svg(height, title, line + body);
}

/** A line for each contender through its medians, by the length of the prompt. `report`: or a comparison. */
function lines(title, report, kind) {
    const measured = measuredOf(report), [left, right, top, bottom] = [50, WIDTH - 255, 12, 230];
    const mostX = report.prompts.at(-1),
        mostY = Math.max(...measured.flatMap((c) => c.points.map((p) => p[kind].max)));
    const x = (tokens) => left + tokens / mostX * (right - left),
        y = (rate) => bottom - rate / mostY * (bottom - top);
    const ticks = (most, count) => Array.from({length: Math.floor(most / stepOf(most, count)) + 1},
        (_, i) => i * stepOf(most, count));
    const grid = ticks(mostY, 5)
        .map((rate) => `<path class="grid" d="M${left} ${y(rate).toFixed(1)}H${right}"/>` +
        text(left - 8, y(rate) + 4, Number(rate.toPrecision(3)), 'text-anchor="end" class="soft"')).join('') +
        ticks(mostX, 6).map((tokens) => text(x(tokens), bottom + 18, tokens,
            'text-anchor="middle" class="soft"')).join('') +
        text((left + right) / 2, bottom + 36, 'tokens of the prompt', 'text-anchor="middle" class="soft"');
    // Labels stand at the lines' ends, pushed apart where those meet.
    const ends = measured.map((c) => ({c, at: y(c.points.at(-1)[kind].median)})).sort((a, b) => a.at - b.at);
    ends.forEach((end, i) => { if (i) end.at = Math.max(end.at, ends[i - 1].at + 16); });
    const over = Math.max(0, ends.at(-1).at - bottom);
    const drawn = measured.map((c) => {
        const name = classOf(c),
            at = c.points.map((p) => `${x(p.tokens).toFixed(1)} ${y(p[kind].median).toFixed(1)}`);
        return `<path class="line ${name}" d="M${at.join('L')}"/>`
            + c.points.map((p) => `<circle class="${name}" r="4" cx="${x(p.tokens).toFixed(1)}" ` +
            `cy="${y(p[kind].median).toFixed(1)}"><title>${escape(`${c.title}, ${p.tokens}: ${round(p[kind].median)}`)}</title></circle>`).join('');
    }).join('');
    return svg(bottom + 44, title,
        grid + drawn + ends.map(({c, at}) => text(right + 12, at - over + 4, c.title)).join(''));
}

/* ------------------------------------------------------------------------------------------ the page */

const STYLE = `
:root { color-scheme: light dark; --paper: #faf9f7; --raised: #fff; --line: #e2dfd9; --ink: #1f1e1c; --soft: #66625b;
    --ours: #2b53d6; --ours2: #7d97ea; --wllama: #c98a1b; --native: #5f8f6b; --limit: #b3402a; }
@media (prefers-color-scheme: dark) { :root { --paper: #161718; --raised: #1f2022; --line: #35373b; --ink: #ecebe8; --soft: #a3a19b;
    --ours: #93aefc; --ours2: #5b72b5; --wllama: #e0ac4f; --native: #84b892; --limit: #ef8a75; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 56rem; padding: 2.5rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
    font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
h1 { font-size: 2rem; line-height: 1.2; letter-spacing: -.02em; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; }
p { margin: .25rem 0; } .soft, figcaption { color: var(--soft); font-size: .9rem; } figcaption b { color: var(--ink); font-size: 1rem; }
figure, .table { margin: 1rem 0; padding: 1rem 1.25rem; background: var(--raised); border: 1px solid var(--line); border-radius: 14px; overflow-x: auto; }
svg { display: block; width: 100%; min-width: 34rem; height: auto; margin-top: .75rem; font-size: 13px; }
svg text { fill: var(--ink); } svg .soft { fill: var(--soft); font-size: 12px; } svg .value { font-variant-numeric: tabular-nums; font-weight: 600;
    paint-order: stroke; stroke: var(--raised); stroke-width: 5px; stroke-linejoin: round; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; } tr:last-child td { border: 0; } th { color: var(--soft); font-weight: 550; }
td small { color: var(--soft); display: block; }
.ours { --c: var(--ours); } .ours2 { --c: var(--ours2); } .wllama { --c: var(--wllama); } .native { --c: var(--native); }
.wasm32, .f16 { --c: var(--wllama); }
rect, circle { fill: var(--c); } .line { fill: none; stroke: var(--c); stroke-width: 2.5; stroke-linejoin: round; }
.simd128 { stroke-dasharray: 2 4; } .relaxed { stroke-dasharray: 10 4; } .relaxed16 { stroke-dasharray: 6 3 2 3; }
.part1 { opacity: .6; } .part2 { opacity: .35; }
.whisker { stroke: var(--ink); stroke-width: 1.5; opacity: .55; fill: none; } .grid { stroke: var(--line); }
.limit { stroke: var(--limit); stroke-width: 2; stroke-dasharray: 5 4; }`;

/** @returns {string} HTML without any other resource */
export function htmlOf(report) {
    const measured = measuredOf(report), limits = limitsOf(report), {maxTokens} = report;
    const row = (c, spread, factor, unit) => ({
        label: c.title, name: classOf(c), parts: [{value: spread.median * factor}], min: spread.min * factor,
        max: spread.max * factor,
        figure: `${round(spread.median * factor)}${unit}`,
    });
    const rates = (kind, i) => measured.map((c) => row(c, c.points[i][kind], 1, ''));
    const bar = report.prompts.map((tokens, i) => ({tokens, i}))
        .filter(({tokens}) => report.prompts.length <= 2 || report.promptTokens.includes(tokens));
    const sections = [];
    const section = (title, ...figures) => figures.flat().length
        && sections.push(`<section><h2>${escape(title)}</h2>${figures.flat().join('')}</section>`);

    if (measured.length) {
        section('Prefill', bar.map(({tokens, i}) => figure(`Reading ${tokens} tokens`,
            'tokens per second, longer is faster; the line spans all rounds',
            bars(`prefill of ${tokens} tokens`, rates('prefill', i)))));
        section('Decode', bar.map(({tokens, i}) => figure(`Writing ${maxTokens} tokens after ${tokens}`,
            'tokens per second',
            bars(`decode after ${tokens} tokens`, rates('decode', i)))));
        if (report.prompts.length > 2) {
            section('By length of context',
                ['prefill', 'decode'].map((kind) => figure(PLOTS[kind], 'tokens per second, medians',
                lines(`${kind} by length of context`, report, kind))));
        }
        const best = (c, kind) => c.points.map((point) => point[kind])
            .reduce((a, b) => b.median > a.median ? b : a);
        const rows = (kind, factor, unit) => measured.map((c) => row(c, best(c, kind), factor, unit));
        const [dot, bits] = !limits ? [] : limits.dot32.median > limits.dot16.median
            ? [limits.dot32.median, 32] : [limits.dot16.median, 16];
        section('Against the machine',
            figure('Weights read while writing',
                `GB/s; ${round(report.bytesPerToken / 1e6)} MB a token, best length of prompt`,
                bars('weights read', rows('decode', report.bytesPerToken / 1e9, ' GB/s'), limits && {
                    value: limits.read.median, label: `a bare read loop: ${round(limits.read.median)} GB/s`,
                })),
            figure('Multiplications while reading',
                `GMAC/s in matrices; ${round(report.macsPerToken / 1e6)} million a token, best length of prompt`,
                bars('multiplications', rows('prefill', report.macsPerToken / 1e9, ' GMAC/s'),
                    limits && {
                        value: dot, label: `bare relaxed dot products into ${bits} bits: ${round(dot)} GMAC/s`,
                    })));
        const started = (c, parts) => ({
            label: c.title, name: classOf(c), parts: Object.entries(parts)
                .map(([label, ms]) => ({label, value: ms / 1000})),
            figure: `${round(Object.values(parts).reduce((a, b) => a + b) / 1000)} s`,
        });
        const medians = (parts) => Object.fromEntries(Object.entries(parts)
            .map(([part, {median}]) => [part, median]));
        const first = measured.filter((c) => c.firstStartup).map((c) => started(c, c.firstStartup));
        const later = measured.filter((c) => c.startup).map((c) => started(c, medians(c.startup)));
        section('Start-up',
            first.length ? figure('The first time',
                'seconds: opening the page or the library, then, paler, the model, and in pages the first token of an answer; ' +
                'pages fetch the model from this machine and keep it', bars('first start', first)) : [],
            later.length ? figure('Again', 'medians; pages find the model where they have kept it',
                bars('later starts', later)) : []);
        const resident = measured.filter((c) => c.memory).map((c) => row(c, c.memory, 1e-6, ' MB'));
        section('Memory', resident.length ? figure('Most that the process was resident with',
            'MB; of a browser, its largest process; natively, with the mapped file',
            bars('memory', resident)) : []);
    }
    for (const comparison of report.comparisons.filter((each) => measuredOf(each).length)) {
        const {prompts, kinds} = comparison;
        const plot = (kind) => figure(PLOTS[kind], 'tokens per second, medians',
            lines(`${comparison.title}: ${PLOTS[kind]}`, comparison, kind));
        section(comparison.title, htmlTable(comparison, kinds), prompts.length > 2 ? kinds.map(plot) : []);
    }
    const {longTasks, longest, idle} = pageOf(report)?.page ?? {};
    const kept = ({min, median, max}, limit, label, figure) => bars(label,
        [{label, name: 'ours', parts: [{value: median}], min, max, figure}], limit);
    section('The page',
        longest ? figure('While an answer streams',
            'ms, from the start of the prompt to the end; tasks of 50 ms and more count as long',
            kept(longest, BARS.longest, 'longest task', longest.max
                ? `${longest.median} ms; long tasks: ${longTasks.median}` : 'no long task')) : [],
        idle ? figure('After the answer',
            '% of one core that the whole browser takes, from 2 to 7 seconds after the end',
            kept(idle, BARS.idle, 'CPU', `${round(idle.median, 2)} %`)) : []);
    const contenders = everyOf(report).map(
        (c) => [c.title, c.facts && versionOf(c), c.missing && whyMissing(c)].filter(Boolean).join('; '));
    return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(report.model)}: benchmark</title><style>${STYLE}</style>
<h1>${escape(report.model)}</h1>
<p>${escape(machineLine(report))}</p>
<p class="soft">${escape(new Date(report.date).toUTCString())}; rounds: ${report.repeat}, in each every contender once, started afresh</p>
${htmlTable(report, ['prefill', 'decode'])}
${[...limitLines(report), ...pageLines(report)].map((line) => `<p>${escape(line)}</p>`).join('\n')}
${sections.join('\n')}
<section><h2>What was measured</h2>${contenders.map((line) => `<p class="soft">${escape(line)}</p>`).join('')}</section></html>
`;
}

/** @param {object} report   or a comparison */
function htmlTable(report, rates) {
    const measured = measuredOf(report), base = measured[0];
    if (!base) return '';
    const kinds = rates.flatMap((kind) => report.prompts.map((tokens, i) => ({kind, tokens, i})));
    const heads = kinds.map(({kind, tokens}) => `<th>${HEADS[kind](tokens)}</th>`).join('');
    const rows = measured.map((c) => `<tr><td>${escape(c.title)}</td>${kinds.map(({kind, i}) => {
        const {median} = c.points[i][kind];
        return `<td>${round(median)}${c === base ? '' : `<small>${(base.points[i][kind].median / median).toFixed(2)}x</small>`}</td>`;
    }).join('')}</tr>`).join('');
    return `<div class="table"><table><tr><th>tokens per second</th>${heads}</tr>${rows}</table></div>
<p class="soft">Medians. Small: so many times as fast is ${escape(base.title)}.</p>`;
}
