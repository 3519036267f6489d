// worker.js: the engine worker: a module worker in browsers, a worker thread under Node. Starts the service,
// and knows nothing else.

import {listen, noteFiles} from '../base/asked.js';
import {NODE, workerPort} from '../base/host.js';
import {answer} from '../base/protocol.js';
import {service} from './service.js';

if (workerPort) {
    answer(workerPort, service);
    listen((asked) => workerPort?.postMessage({asked}));
    if (!NODE) noteFiles();
}
