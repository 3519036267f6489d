// The page in a real WebKit.

import {testBrowser} from './suite/all.js';

testBrowser('webkit');
