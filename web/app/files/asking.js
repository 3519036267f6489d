// How a message with files is put to the model. Owns: these words, which are the model's, so they are English
// in every language of the page.

/**
 * @typedef {import('../data/types.js').Message} Message
 * @typedef {import('../data/types.js').Attachment} Attachment
 * @typedef {import('../../gemma.js').Message} Asked
 */

/**
 * A stored message as the library takes it: its files first, so that what is asked about them stands next
 * to the answer.
 * @param {Pick<Message, 'role' | 'content' | 'attachments'>} message
 * @param {boolean} [isNow]   it is being answered: passages that were looked up for an earlier question need
 *     not be read again
 * @returns {Asked}   what a tool gave back has a name, which imports do not keep
 */
export const toAsked = ({role, content, attachments = []}, isNow = false) =>
    /** @type {Asked} */ ({role, ...role === 'tool' && {name: role},
        content: [...attachments.map((attachment) => present(attachment, isNow)), content].join('\n\n')});

/** @param {Attachment} attachment @param {boolean} isNow */
function present({name, text, how, asked}, isNow) {
    const isLookedUp = how === 'search' || how === 'found';
    if (how === 'parts') return `The file "${quotable(name)}" was read part by part.`;
    if (isLookedUp && !isNow) return `Passages of the file "${quotable(name)}" were read.`;
    return presentText(
        `File "${quotable(name)}"${isLookedUp ? ', passages of it' : how === 'first' && asked !== undefined ? ', its beginning' : ''}`,
        name, asked ?? text);
}

/**
 * A file's text between marks that it does not have itself.
 * @param {string} title
 * @param {string} name
 * @param {string} text
 */
export function presentText(title, name, text) {
    const longest = (text.match(/`{3,}/g) ?? []).reduce((length, run) => Math.max(length, run.length), 2),
        fence = '`'.repeat(longest + 1);
    const [, ending = ''] = /\.([a-z\d]{1,8})$/i.exec(name) ?? [];
    return `${title}:\n${fence}${/^(txt|text|pdf|html?|log|md)$/i.test(ending) ? '' : ending.toLowerCase()}\n${text.replaceAll('\f', '\n').trimEnd()}\n${fence}`;
}

/** @param {string} name */
export const quotable = (name) => name.replace(/["\n`]/g, "'");

/**
 * The same files for a question that has changed: what was found for the old one does not count.
 * @param {Attachment[]} [attachments]
 */
export const asNew = (attachments) => attachments?.map(({asked, ...rest}) => rest.how === 'found'
    ? {...rest, text: ''} : rest);

/**
 * The files of one more question: also those in which each question of the conversation is looked up.
 * @param {Message[]} path @param {Attachment[]} attachments   new ones
 */
export function lookedUp(path, attachments) {
    const known = path.flatMap((message) => message.attachments ?? []).filter(({how}) => how === 'search');
    if (attachments.some(({how}) => how === 'parts')) return attachments;
    const found = new Map(known.map(({name, type, size}) => [name,
        {name, type, size, text: '', how: /** @type {const} */ ('found')}]));
    for (const {name} of attachments) found.delete(name);
    return [...attachments, ...found.values()];
}
