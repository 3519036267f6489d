// What a program can judge of a page as it is shown: nothing sticks out or is cut off, every control has a
// name, text has contrast, there is one main heading, and axe-core finds nothing.
//
// Owns: the judgements. Must not know: which view is shown.

import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';

const AXE = `() => {\n${readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')}\n}`;
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const COLOUR = {type: 'rule', values: ['color-contrast', 'link-in-text-block']};
const CONTRAST = 4.5;       // WCAG 2, level AA

/**
 * Who wants to know of the page's problems asks for them first: axe makes some.
 * @param {import('./page.js').Page} page
 * @param {{isColour?: boolean}} [about]   isColour: only the rules that ask for colours
 * @returns {Promise<string[]>} a line for each element at fault
 */
export async function axeFindings(page, {isColour = false} = {}) {
    if (await page.evaluate(() => typeof axe === 'undefined')) await page.evaluate(AXE);
    const found = await page.evaluate(askAxe, isColour ? COLOUR : RULES);
    await page.problems();      // axe's own: it sets inline styles
    return found;
}

/**
 * @param {import('./page.js').Page} page
 * @returns {Promise<Record<string, string[]>>} of each fault, the elements that have it
 */
export const layoutFaults = (page) => page.evaluate(judgeLayout);

/** @param {import('./page.js').Page} page @returns {Promise<string[]>} text with too little contrast */
export const faintTexts = (page) => page.evaluate(findFaint, CONTRAST);

/** Runs in the page. @param {string[] | object} rules   by their tags, or as axe's runOnly */
async function askAxe(rules) {
    // Rules for targets' sizes are off unless they are asked for.
    const {violations} = await axe.run(document, {runOnly: rules, resultTypes: ['violations'], preload: false,
        rules: {'target-size': {enabled: true}}});
    return violations.flatMap(({id, nodes}) => nodes.map(({html, failureSummary}) =>
        `${id}: ${html.slice(0, 160)}: ${failureSummary}`));
}

/** Runs in the page. */
function judgeLayout() {
    const modal = document.querySelector('dialog[open]'), width = document.documentElement.clientWidth;
    const shown = [...document.body.querySelectorAll('*')].filter((element) =>
        element.checkVisibility({contentVisibilityAuto: true}) && !element.closest('.hidden, [inert], svg'));
    const considered = shown.filter((element) => !modal || modal.contains(element));
    const name = (element) => element.outerHTML.slice(0, 140);
    /** It scrolls by itself what does not fit. */
    const scrolls = (element) => element && (/auto|scroll/.test(getComputedStyle(element).overflowX)
        || scrolls(element.parentElement));
    const boxes = considered.filter((element) => getComputedStyle(element).display !== 'inline'
        && !scrolls(element.parentElement));

    const outside = boxes.filter((element) => {
        const {left, right} = element.getBoundingClientRect();
        return left < -1 || right > width + 1;
    });
    const outgrown = boxes.filter((element) => {
        const own = element.getBoundingClientRect(), around = element.parentElement.getBoundingClientRect(),
            {marginLeft, marginRight} = getComputedStyle(element);
        return own.right > around.right + 1 && !marginRight.startsWith('-') || own.left < around.left - 1
            && !marginLeft.startsWith('-');
    });
    // What ends in three dots says that there is more.
    const cut = considered.filter((element) => {
        const {overflowX, overflowY, textOverflow, webkitLineClamp} = getComputedStyle(element),
            isHidden = (value) => value === 'hidden' || value === 'clip';
        if (element.clientWidth <= 1 || !element.textContent.trim() || webkitLineClamp > 0
            || element.tagName === 'TEXTAREA') return false;
        return isHidden(overflowX) && textOverflow !== 'ellipsis' && element.scrollWidth > element.clientWidth
            + 1 || isHidden(overflowY) && element.scrollHeight > element.clientHeight + 3;
    });
    const over = considered.filter((element) => element.matches('button, .tag, select')
        && element.scrollWidth > element.clientWidth + 1 && !element.querySelector('.hidden, strong'));
    const nameOf = (element) => element.getAttribute('aria-label') ?? element.labels?.[0]?.textContent
        ?? element.textContent;
    const nameless = considered.filter((element) => element.matches('button, input, textarea, a, select')
        && !nameOf(element).trim());
    const small = considered.filter((element) => {
        if (!element.matches('button, input, select, summary, a[href]') || element.matches('p a, .body a')
            || element.disabled) return false;
        const target = element.closest('label') ?? element.labels?.[0] ?? element,
            boxes = [element, target].map((one) => one.getBoundingClientRect());
        return boxes.every(({width, height}) => width < 24 || height < 24);
    });
    const keys = shown.filter(({children, textContent, tagName}) => !children.length && tagName !== 'BDI'
        && /^[a-z]+\.[a-z-]+$/.test(textContent));
    const headings = [...document.querySelectorAll('h1')].filter((heading) => heading.checkVisibility());
    const {scrollWidth} = document.documentElement;
    return {
        outside: outside.map(name), outgrown: outgrown.map(name), cut: cut.map(name), over: over.map(name),
        nameless: nameless.map(name), small: small.map(name),
        keys: keys.map(name), headings: headings.length === 1 ? [] : headings.map(name),
        wide: scrollWidth > width ? [`${scrollWidth} of ${width}`] : [],
    };
}

/** Runs in the page. @param {number} enough */
function findFaint(enough) {
    const modal = document.querySelector('dialog[open]');
    const considered = [...document.body.querySelectorAll('*')].filter((element) =>
        element.checkVisibility({contentVisibilityAuto: true}) && !element.closest('.hidden, [inert]')
            && (!modal || modal.contains(element)));
    /** rgb(), rgba() and color(srgb ...) as four numbers from 0 to 1. */
    const colour = (text) => {
        const [r, g, b, a = 1] = text.match(/[\d.]+(e-\d+)?/g).map(Number);
        return text.startsWith('color') ? [r, g, b, a] : [r / 255, g / 255, b / 255, a];
    };
    const over = ([r, g, b, a], under) => [r, g, b].map((part, i) => part * a + under[i] * (1 - a));
    const backdrop = (element) => element ? over(colour(getComputedStyle(element).backgroundColor),
        backdrop(element.parentElement)) : [1, 1, 1];
    const luminance = (rgb) => rgb.map((part) => part <= 0.04045 ? part / 12.92
        : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
    const faint = [];
    for (const element of considered) {
        const placeholder = element.placeholder && !element.value;
        const text = placeholder ? element.placeholder
            : [...element.childNodes].filter(({nodeType}) => nodeType === Node.TEXT_NODE)
            .map(({data}) => data).join('').trim();
        // A textarea's own text may be clear, over a mirror that shows it. What can't be pressed need not
        // be read.
        if (!text || (element.matches('textarea') && !placeholder) || element.closest(':disabled')) continue;
        const {color, opacity} = getComputedStyle(element, placeholder ? '::placeholder' : null);
        const [r, g, b, a] = colour(color);
        if (a === 0) continue;      // WebKit gives the field's own style for its placeholder's
        const under = backdrop(element);
        const [low, high] = [luminance(over([r, g, b, a * opacity], under)),
            luminance(under)].sort((x, y) => x - y);
        const contrast = (high + 0.05) / (low + 0.05);
        if (contrast < enough) faint.push(`${contrast.toFixed(2)}: ${text.slice(0, 40)}`);
    }
    return faint;
}
