/**
 * Runs channels and servers that name no engine on the library's own HTTP/2.
 * Preloaded by `deno task test:native`.
 *
 * @module
 */

import { setDefaultEngine } from "../_engines.ts";

setDefaultEngine("native");
