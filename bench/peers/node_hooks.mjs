/**
 * Has Node find what Deno finds by `deno.json`: this library, in the checkout
 * that the environment names, and what it is made of.
 *
 *     node --import ./bench/peers/node_hooks.mjs bench/peers/peer.ts …
 */

import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import process from "node:process";

const root = process.env.GRPCLIB_ROOT;
const { name, exports } = JSON.parse(
  readFileSync(new URL("deno.json", root), "utf8"),
);
const packages = new URL("../../.tools/bench/", import.meta.url);

registerHooks({
  resolve(specifier, context, next) {
    if (specifier === name || specifier.startsWith(`${name}/`)) {
      const path = exports[`.${specifier.slice(name.length)}`];
      return next(new URL(path, root).href, context);
    }
    if (specifier.startsWith("@std/")) {
      return next(standIn(specifier), context);
    }
    if (specifier.startsWith("@bufbuild/") && !isPackage(context)) {
      return next(specifier, {
        ...context,
        parentURL: new URL("package.json", packages).href,
      });
    }
    return next(specifier, context);
  },
});

/** The module of `_std/` that stands for one of JSR. */
function standIn(specifier) {
  const [, folder, ...path] = specifier.split("/");
  const base = new URL(`_std/${folder}/`, root);
  const { exports } = JSON.parse(
    readFileSync(new URL("deno.json", base), "utf8"),
  );
  const module = typeof exports === "string"
    ? exports
    : exports[[".", ...path].join("/")];
  return new URL(module, base).href;
}

function isPackage({ parentURL = "" }) {
  return parentURL.includes("/node_modules/");
}
