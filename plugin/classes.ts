/**
 * The classes that are generated for a service.
 *
 * @module
 */

import type { DescMessage, DescMethod, DescService } from "@bufbuild/protobuf";
import type { Target } from "@bufbuild/protoplugin";
import {
  type Cardinality,
  isClientStreaming,
  isServerStreaming,
} from "../core/cardinality.ts";
import { cardinalityOf, pathOf } from "../_call/descriptor.ts";
import { docsOf, jsDoc } from "./comments.ts";
import type { Draft } from "./draft.ts";
import {
  block,
  type Doc,
  generic,
  hang,
  hangWhole,
  parenthesized,
} from "./layout.ts";

/** How a class is declared in the three kinds of file. */
const CLASS = {
  ts: "class",
  js: "class",
  dts: "declare class",
} as const satisfies Record<Target, string>;

/** How a class with methods to be written is declared. */
const ABSTRACT_CLASS = {
  ts: "abstract class",
  js: "class",
  dts: "declare abstract class",
} as const satisfies Record<Target, string>;

/** What makes a method of each kind, and the type of what it makes. */
const METHODS = {
  UNARY_UNARY: { make: "unaryUnary", type: "UnaryUnaryMethod" },
  UNARY_STREAM: { make: "unaryStream", type: "UnaryStreamMethod" },
  STREAM_UNARY: { make: "streamUnary", type: "StreamUnaryMethod" },
  STREAM_STREAM: { make: "streamStream", type: "StreamStreamMethod" },
} as const satisfies Record<Cardinality, unknown>;

/** A file to write classes to. */
export interface Output {
  /** The file. */
  readonly draft: Draft;
  /** What kind of file it is. */
  readonly target: Target;
}

/**
 * Writes the class that a server's handlers are methods of.
 *
 * @param service The service.
 * @param output Where to.
 */
export function writeBase(service: DescService, output: Output): void {
  const { draft, target } = output;
  const handlers = target === "js"
    ? []
    : service.methods.map((method) => handlerOf(method, draft));
  draft.write([
    ...docsOf(service),
    [
      draft.exported(ABSTRACT_CLASS[target], `${service.name}Base`),
      target === "js"
        ? ""
        : hangWhole(["implements ", draft.type("Service", "server")]),
      " ",
      membersOf([...handlers, mappingOf(service, output)]),
    ],
  ]);
}

/** The method that is to be written for an rpc. */
function handlerOf(method: DescMethod, draft: Draft): Doc[] {
  const cardinality = cardinalityOf(method);
  const direction = (message: DescMessage, many: boolean) => {
    const shape = draft.shape(message);
    return many ? generic(draft.type("Many", "server"), [shape]) : shape;
  };
  const stream = generic(draft.type("ServerStream", "server"), [
    direction(method.input, isClientStreaming(cardinality)),
    direction(method.output, isServerStreaming(cardinality)),
  ]);
  return [
    ...docsOf(method),
    [
      ...["abstract ", method.localName],
      parenthesized([["stream: ", stream]]),
      ...[": ", draft.global("Promise"), "<void>;"],
    ],
  ];
}

/** The method that tells the server what the others are for. */
function mappingOf(service: DescService, { draft, target }: Output): Doc[] {
  const name = ["[", draft.value("mapping", "server"), "]()"];
  const type = target === "js" ? "" : [
    ...[": ", draft.global("Record")],
    ...["<string, ", draft.type("Handler", "server"), ">"],
  ];
  const entries = () => {
    return service.methods.map((method) => entryOf(method, draft));
  };
  return [
    ...jsDoc([["Tells the server the handlers of the service."]]),
    target === "dts"
      ? [name, type, ";"]
      : [name, type, " ", block([["return ", block(entries()), ";"]])],
  ];
}

/** What is to be told of one handler. */
function entryOf(method: DescMethod, draft: Draft): Doc {
  const call = [".", method.localName, parenthesized(["stream"])];
  const entry = block([
    ["handle: (stream) =>", hangWhole(["this", hang(call, "")]), ","],
    [
      ...["cardinality: ", draft.value("Cardinality", "server")],
      `.${cardinalityOf(method)},`,
    ],
    ["requestType:", hang(draft.schema(method.input)), ","],
    ["replyType:", hang(draft.schema(method.output)), ","],
  ]);
  return [`"${pathOf(method)}":`, hang(entry), ","];
}

/**
 * Writes the class of which clients call the methods.
 *
 * @param service The service.
 * @param output Where to.
 */
export function writeStub(service: DescService, output: Output): void {
  const { draft, target } = output;
  draft.write([
    ...docsOf(service),
    [
      draft.exported(CLASS[target], `${service.name}Stub`),
      " ",
      membersOf([
        ...service.methods.map((method) => propertyOf(method, output)),
        constructorOf(service, output),
      ]),
    ],
  ]);
}

/** The property that is called for an rpc. */
function propertyOf(method: DescMethod, { draft, target }: Output): Doc[] {
  if (target === "js") return [...docsOf(method), `${method.localName};`];
  const type = draft.type(METHODS[cardinalityOf(method)].type, "client");
  const messages = [draft.shape(method.input), draft.shape(method.output)];
  return [
    ...docsOf(method),
    [`readonly ${method.localName}:`, hang(generic(type, messages)), ";"],
  ];
}

/** The constructor, which makes all methods. */
function constructorOf(service: DescService, { draft, target }: Output): Doc[] {
  const docs = jsDoc([
    ["Makes the methods of the service callable."],
    ["@param channel The channel to call on."],
  ]);
  const unused = service.methods.length === 0 && target !== "dts";
  const name = unused ? "_channel" : "channel";
  const parameter = target === "js"
    ? name
    : [`${name}: `, draft.type("Channel", "client")];
  const head = ["constructor", parenthesized([parameter])];
  if (target === "dts") return [...docs, [head, ";"]];
  const body = service.methods.map((method) => assignmentOf(method, draft));
  return [...docs, [head, " ", block(body)]];
}

function assignmentOf(method: DescMethod, draft: Draft): Doc {
  const make = draft.value(METHODS[cardinalityOf(method)].make, "client");
  const call = [
    make,
    parenthesized([
      ...["channel", `"${pathOf(method)}"`],
      ...[draft.schema(method.input), draft.schema(method.output)],
    ]),
  ];
  return ["this", hang([`.${method.localName} =`, hang(call)], ""), ";"];
}

/** Puts members between braces, with empty lines between them. */
function membersOf(members: readonly Doc[][]): Doc {
  return block(
    members.flatMap((member, i) => i === 0 ? member : ["", ...member]),
  );
}
