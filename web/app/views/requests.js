// A list of what the app has asked of the network since it was opened, by servers. Fetched when it is opened.
//
// Owns: the dialog's elements. Must not know: where the list comes from.

import {byServer} from '../data/asked.js';
import {currentLanguage, text} from '../texts.js';
import {openDialog} from './dialog.js';
import {element} from './dom.js';
import {bytes, list} from './format.js';

/**
 * @typedef {import('../data/asked.js').Request} Request
 * @typedef {import('../data/asked.js').Server} Server
 */

/**
 * @param {(show: (all: {opened: number, requests: Request[]}) => void) => Promise<() => void>} watch   shows
 *     the list, and each that follows; gives what ends it
 */
export async function openRequests(watch) {
    const body = element('div', {}), dialog = openDialog(text('asked.title'), 'requests', body);
    dialog.id = 'requests';
    const end = await watch((all) => show(body, all));
    dialog.addEventListener('close', end);
}

/** @param {HTMLElement} body @param {{opened: number, requests: Request[]}} all */
function show(body, {opened, requests}) {
    const {servers, refused} = byServer(requests, location.origin);
    const asked = servers.filter(({count}) => count),
        names = asked.map(({host, isOwn}) => isOwn ? text('asked.this', {host}) : host);
    const lead = asked.length ? text('asked.lead', {time: clock(opened), count: asked.length,
        list: list(names)}) : text('asked.none', {time: clock(opened)});
    body.replaceChildren(element('p', {className: 'asked-lead', textContent: lead}),
        element('p', {textContent: text('asked.promise')}),
        ...servers.map(serverOf), ...refused.length ? [refusedOf(refused)] : []);
}

/** @param {number} at */
const clock = (at) => new Intl.DateTimeFormat(currentLanguage(), {timeStyle: 'medium'}).format(at);

/** @param {Server} server */
function serverOf({host, isOwn, groups, count, here, bytes: sum}) {
    const tag = element('span', {className: isOwn ? 'tag' : 'tag best', textContent: text(isOwn ? 'asked.own'
        : 'asked.other')});
    const figures = [sum ? text('asked.network', {count, size: bytes(sum)}) : count ? text('asked.count',
        {count}) : '', here ? text('asked.here', {count: here}) : ''].filter(Boolean).join(' ');
    return element('section', {}, element('h3', {}, element('bdi', {textContent: host}), ' ', tag),
        element('p', {className: 'soft', textContent: figures}),
        ...groups.map(({name, requests, bytes: size}) => element('details', {className: 'more'},
            element('summary', {}, element('bdi', {textContent: name || text('asked.files')}), ' ',
                element('span', {className: 'soft',
                    textContent: [text('asked.count', {count: requests.length}), size ? bytes(size)
                        : ''].filter(Boolean).join(' · ')})),
            element('ul', {}, ...requests.map(lineOf)))),
        ...isOwn ? [element('p', {className: 'soft', textContent: text('asked.browser')})] : []);
}

/** @param {Request[]} requests */
const refusedOf = (requests) => element('section', {}, element('h3', {textContent: text('asked.refused')}),
    element('ul', {}, ...requests.map(lineOf)));

/** @param {Request} request */
function lineOf({at, url, kind, method, range, status, bytes: size, from, isHere, refused}) {
    const {pathname, search, origin} = new URL(url);
    const facts = [clock(at), !refused && text(`asked.is-${kind}`), method, range
        && range.replace('bytes=', ''), size ? bytes(size) : '', isHere && text('asked.kept'),
        status === 0 && text('asked.failed'), status && status >= 400 ? String(status) : '', from
            && text('asked.by', {host: new URL(from).host}), refused];
    return element('li', {},
        element('bdi', {dir: 'ltr', textContent: `${refused ? origin : ''}${pathname}${search ? '?…' : ''}`}),
        element('span', {className: 'soft', textContent: facts.filter(Boolean).join(' · ')}));
}
