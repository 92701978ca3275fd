/**
 * Paths of files, as programs want them.
 *
 * @module
 */

import { fileURLToPath, pathToFileURL } from "node:url";

/** The path of a file. */
export function fromFileUrl(url: URL): string {
  return fileURLToPath(url);
}

/** The URL of a folder, which ends in a slash. */
export function folderUrl(path: string): URL {
  const { href } = pathToFileURL(path);
  return new URL(href.endsWith("/") ? href : `${href}/`);
}
