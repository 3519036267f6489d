// texts.js: what the element says, by language. {host}, {terms} and the like stand for what is filled in.

/**
 * @typedef {typeof EN} Texts
 */

const EN = {
    chat: 'Chat', messages: 'Messages', placeholder: 'Write a message', send: 'Send', stop: 'Stop',
    fresh: 'New conversation', you: 'You', model: 'Gemma',
    download: 'Download and start', resume: 'Continue the download', open: 'Start', cancel: 'Cancel',
    retry: 'Try again', close: 'Close',
    from: 'It comes from {host}.', here: 'It is on this device.',
    private: 'It runs on this device: what you write stays here.',
    terms: 'By downloading you accept the {terms}.', downloading: 'Downloading {name}',
    opening: 'Opening {name}', done: '{done} of {total}', left: '{time} left',
    reading: 'Reading… {share}', answering: 'Gemma is answering', stopped: 'Stopped',
    length: 'Stopped: the answer reached its maximum length',
    context: 'Stopped: the context is full', nothing: 'The model had nothing to add',
    transcript: 'This model was not taught to chat: it continues the conversation as a text.',
    forgotten: 'The context is full, so the oldest messages are forgotten.',
    failed: 'Something went wrong', network: 'The model could not be downloaded',
    missing: 'There is no model at that address',
    file: 'This file cannot be opened', unsupported: 'This does not run here',
    memory: 'There is not enough memory',
    room: 'Not enough free storage in this browser', full: 'The message does not fit the context',
    storage: "This browser's storage failed", part: 'A part of this program could not be loaded',
    busy: 'The model is in use', gone: 'The model is no longer loaded',
};

/** @type {Texts} */
const DE = {
    chat: 'Chat', messages: 'Nachrichten', placeholder: 'Nachricht schreiben', send: 'Senden', stop: 'Stopp',
    fresh: 'Neue Unterhaltung', you: 'Sie', model: 'Gemma',
    download: 'Herunterladen und starten', resume: 'Weiter herunterladen', open: 'Starten',
    cancel: 'Abbrechen', retry: 'Noch einmal', close: 'Schließen',
    from: 'Es kommt von {host}.', here: 'Es liegt auf diesem Gerät.',
    private: 'Es läuft auf diesem Gerät: Was Sie schreiben, bleibt hier.',
    terms: 'Mit dem Herunterladen nehmen Sie die {terms} an.', downloading: '{name} wird heruntergeladen',
    opening: '{name} wird geöffnet', done: '{done} von {total}',
    left: 'noch {time}', reading: 'Liest … {share}', answering: 'Gemma antwortet', stopped: 'Angehalten',
    length: 'Angehalten: Die Antwort hat ihre maximale Länge erreicht',
    context: 'Angehalten: Der Kontext ist voll', nothing: 'Das Modell hatte nichts hinzuzufügen',
    transcript: 'Dieses Modell hat nicht gelernt zu chatten: Es setzt das Gespräch als Text fort.',
    forgotten: 'Der Kontext ist voll, darum werden die ältesten Nachrichten vergessen.',
    failed: 'Etwas ist schiefgegangen', network: 'Das Modell ließ sich nicht herunterladen',
    missing: 'Unter dieser Adresse ist kein Modell',
    file: 'Diese Datei lässt sich nicht öffnen', unsupported: 'Das läuft hier nicht',
    memory: 'Der Arbeitsspeicher reicht nicht',
    room: 'In diesem Browser ist nicht genug Speicherplatz frei',
    full: 'Die Nachricht passt nicht in den Kontext',
    storage: 'Der Speicher dieses Browsers hat versagt',
    part: 'Ein Teil dieses Programms konnte nicht geladen werden', busy: 'Das Modell ist in Gebrauch',
    gone: 'Das Modell ist nicht mehr geladen',
};

/** @type {Texts} */
const FR = {
    chat: 'Discussion', messages: 'Messages', placeholder: 'Écrire un message', send: 'Envoyer',
    stop: 'Arrêter', fresh: 'Nouvelle conversation', you: 'Vous', model: 'Gemma',
    download: 'Télécharger et démarrer', resume: 'Reprendre le téléchargement', open: 'Démarrer',
    cancel: 'Annuler', retry: 'Réessayer', close: 'Fermer',
    from: 'Il vient de {host}.', here: 'Il est sur cet appareil.',
    private: 'Il fonctionne sur cet appareil : ce que vous écrivez y reste.',
    terms: 'En le téléchargeant, vous acceptez les {terms}.', downloading: 'Téléchargement de {name}',
    opening: 'Ouverture de {name}', done: '{done} sur {total}',
    left: 'encore {time}', reading: 'Lecture… {share}', answering: 'Gemma répond', stopped: 'Arrêté',
    length: 'Arrêté : la réponse a atteint sa longueur maximale',
    context: 'Arrêté : le contexte est plein', nothing: "Le modèle n'avait rien à ajouter",
    transcript: "Ce modèle n'a pas appris à discuter : il continue la conversation comme un texte.",
    forgotten: 'Le contexte est plein : les messages les plus anciens sont oubliés.',
    failed: "Quelque chose s'est mal passé", network: "Le modèle n'a pas pu être téléchargé",
    missing: "Il n'y a pas de modèle à cette adresse",
    file: 'Ce fichier ne peut pas être ouvert', unsupported: 'Cela ne fonctionne pas ici',
    memory: 'La mémoire ne suffit pas',
    room: "Il n'y a pas assez de stockage libre dans ce navigateur",
    full: 'Le message ne tient pas dans le contexte',
    storage: 'Le stockage de ce navigateur a échoué',
    part: "Une partie de ce programme n'a pas pu être chargée", busy: "Le modèle est en cours d'utilisation",
    gone: "Le modèle n'est plus chargé",
};

/** @type {Texts} */
const ES = {
    chat: 'Chat', messages: 'Mensajes', placeholder: 'Escribe un mensaje', send: 'Enviar', stop: 'Parar',
    fresh: 'Nueva conversación', you: 'Tú', model: 'Gemma',
    download: 'Descargar y empezar', resume: 'Continuar la descarga', open: 'Empezar', cancel: 'Cancelar',
    retry: 'Intentar de nuevo', close: 'Cerrar',
    from: 'Viene de {host}.', here: 'Está en este dispositivo.',
    private: 'Funciona en este dispositivo: lo que escribes se queda aquí.',
    terms: 'Al descargarlo aceptas los {terms}.', downloading: 'Descargando {name}',
    opening: 'Abriendo {name}', done: '{done} de {total}', left: 'faltan {time}',
    reading: 'Leyendo… {share}', answering: 'Gemma está respondiendo', stopped: 'Parado',
    length: 'Parado: la respuesta alcanzó su longitud máxima',
    context: 'Parado: el contexto está lleno', nothing: 'El modelo no tenía nada que añadir',
    transcript: 'Este modelo no aprendió a chatear: continúa la conversación como un texto.',
    forgotten: 'El contexto está lleno: se olvidan los mensajes más antiguos.',
    failed: 'Algo ha fallado', network: 'No se pudo descargar el modelo',
    missing: 'No hay ningún modelo en esa dirección',
    file: 'Este archivo no se puede abrir', unsupported: 'Esto no funciona aquí',
    memory: 'No hay suficiente memoria',
    room: 'No hay suficiente almacenamiento libre en este navegador',
    full: 'El mensaje no cabe en el contexto',
    storage: 'El almacenamiento de este navegador ha fallado',
    part: 'No se pudo cargar una parte de este programa', busy: 'El modelo está en uso',
    gone: 'El modelo ya no está cargado',
};

/** @type {Record<string, Texts>} */
const ALL = {en: EN, de: DE, fr: FR, es: ES};

/** @param {string} language   a BCP 47 tag @returns {Texts} English where there is none */
export const textsFor = (language) => ALL[language.toLowerCase().split('-')[0]] ?? EN;

/** @param {string} text @param {Record<string, string>} values */
export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

/** By a GemmaError's code: which text says what happened. @type {Record<string, keyof Texts>} */
const TITLES = {
    'network': 'network', 'not-found': 'missing', 'bad-file': 'file', 'bad-numbers': 'file',
    'unsupported': 'unsupported', 'no-memory': 'memory', 'no-room': 'room',
    'context-full': 'full', 'storage': 'storage', 'library': 'part', 'in-use': 'busy', 'engine-lost': 'gone',
    'closed': 'gone',
};

/** @param {Texts} texts @param {string | undefined} code */
export const titleOf = (texts, code) => texts[TITLES[code ?? ''] ?? 'failed'];

/** @param {string} language @returns {string} the same, or English for what is no language */
function canonical(language) {
    try {
        return Intl.getCanonicalLocales(language)[0] ?? 'en';
    } catch {
        return 'en';
    }
}

/** Numbers as people of a language read them. @param {string} given */
export function formats(given) {
    const language = canonical(given);
    /** @param {number} value @param {string} unit @param {number} [digits] */
    const inUnit = (value, unit, digits = 0) => new Intl.NumberFormat(language,
        {style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: digits}).format(value);
    return {
        /** @param {number} n */
        bytes: (n) => n < 1e6 ? inUnit(Math.ceil(n / 1e3), 'kilobyte') : n < 1e9 ? inUnit(n / 1e6, 'megabyte',
            n < 1e7 ? 1 : 0) : inUnit(n / 1e9, 'gigabyte', 2),
        /** @param {number} seconds */
        duration: (seconds) => seconds < 60 ? inUnit(Math.max(1, Math.ceil(seconds)), 'second')
            : seconds < 3600 ? inUnit(Math.ceil(seconds / 60), 'minute') : inUnit(seconds / 3600, 'hour', 1),
        /** @param {number} share */
        percent: (share) => new Intl.NumberFormat(language, {style: 'percent'}).format(share),
    };
}
