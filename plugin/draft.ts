/**
 * A generated file while it is made.
 *
 * @module
 */

import type { DescMessage } from "@bufbuild/protobuf";
import type { GeneratedFile, Printable } from "@bufbuild/protoplugin";
import { mendExports, mendImports } from "./imports.ts";
import { type Doc, layOut, newline, type Slot } from "./layout.ts";

/** Stands between what is printed; no text of any kind has it. */
const SEPARATOR = "\0";

/** Options for {@linkcode Draft}. */
export interface DraftOptions {
  /** What protoplugin makes of the file. */
  readonly file: GeneratedFile;
  /** The path that the file would be imported from. */
  readonly path: string;
  /** What the library is imported from, without the name of its module. */
  readonly library: string;
}

/**
 * A generated file of which protoplugin decides the imports, and the names that
 * they give to what is imported. These are known at the very end, and only then
 * can be said which lines are too long.
 *
 * So at first nothing but names is printed, and when protoplugin is done they
 * are filled into what was written here.
 */
export class Draft {
  readonly #file: GeneratedFile;
  readonly #path: string;
  readonly #library: string;
  readonly #docs: Doc[] = [];
  // To find a name, protoplugin looks at all names of the file it is from.
  readonly #shapes = new Map<DescMessage, Slot>();
  readonly #schemas = new Map<DescMessage, Slot>();
  #slots = 0;

  /**
   * Begins a file.
   *
   * @param options What file it is.
   */
  constructor(options: DraftOptions) {
    this.#file = options.file;
    this.#path = options.path;
    this.#library = options.library;
    this.#file.print(SEPARATOR);
  }

  /**
   * Exports something that is declared in this file.
   *
   * @param keyword What it is, such as `class`.
   * @param name Its name.
   * @returns A slot for the beginning of the declaration.
   */
  exported(keyword: string, name: string): Slot {
    return this.#slot(this.#file.export(keyword, name));
  }

  /**
   * Uses a global name, so that no import takes it away.
   *
   * @param name The name.
   * @returns A slot for it.
   */
  global(name: string): Slot {
    return this.#slot(this.#file.import(name, this.#path));
  }

  /**
   * Imports a function or another value of the library.
   *
   * @param name Its name.
   * @param module The module of the library that it is in.
   * @returns A slot for the name it gets here.
   */
  value(name: string, module: "client" | "server"): Slot {
    return this.#slot(this.#file.import(name, this.#moduleOf(module)));
  }

  /**
   * Imports a type of the library.
   *
   * @param name Its name.
   * @param module The module of the library that it is in.
   * @returns A slot for the name it gets here.
   */
  type(name: string, module: "client" | "server"): Slot {
    return this.#slot(this.#file.import(name, this.#moduleOf(module), true));
  }

  /**
   * Imports the type of a message.
   *
   * @param message The message.
   * @returns A slot for the name it gets here.
   */
  shape(message: DescMessage): Slot {
    const known = this.#shapes.get(message);
    if (known !== undefined) return known;
    const slot = this.#slot(this.#file.importShape(message));
    this.#shapes.set(message, slot);
    return slot;
  }

  /**
   * Imports the descriptor of a message.
   *
   * @param message The message.
   * @returns A slot for the name it gets here.
   */
  schema(message: DescMessage): Slot {
    const known = this.#schemas.get(message);
    if (known !== undefined) return known;
    const slot = this.#slot(this.#file.importSchema(message));
    this.#schemas.set(message, slot);
    return slot;
  }

  /**
   * Writes a declaration, with an empty line before it.
   *
   * @param lines The lines of the declaration.
   */
  write(lines: readonly Doc[]): void {
    this.#docs.push(newline, lines.map((line) => [newline, line]));
  }

  /**
   * Fills the names in.
   *
   * @param content What protoplugin made of the names.
   * @returns The file.
   */
  finish(content: string): string {
    const parts = content.split(`${SEPARATOR}\n`);
    const tail = mendExports(parts.pop() ?? "");
    const slots = parts.splice(parts.length - this.#slots)
      .map((text) => text.trimEnd());
    const head = mendImports(parts.join(""));
    return plain(`${head}${layOut(this.#docs, slots)}\n${tail}`);
  }

  #moduleOf(module: "client" | "server"): string {
    const path = `${this.#library}/${module}`;
    // A path in the folder of the generated files gets their extension.
    return path.startsWith(".") ? `${path}.js` : path;
  }

  #slot(printable: Printable): Slot {
    this.#file.print(printable);
    this.#file.print(SEPARATOR);
    return { slot: this.#slots++ };
  }
}

/**
 * Makes ordinary spaces of those that `deno lint` calls irregular, such as
 * comments may have, and drops them at the end of lines, as `deno fmt` does.
 */
function plain(text: string): string {
  return text.replaceAll(/[^\S\n\t ]|[\u0085\u180e\u200b]/g, " ")
    .replaceAll(/[ \t]+$/gm, "");
}
