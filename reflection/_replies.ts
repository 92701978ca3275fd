/**
 * Replies to the questions that clients have about descriptors.
 *
 * @module
 */

import type { DescFile } from "@bufbuild/protobuf";
import { Status } from "../core/status.ts";
import { encodeFile, type FileIndex } from "./_file_index.ts";
import type { ServerReflectionRequest } from "./gen/grpc/reflection/v1/reflection_pb.ts";
import type {
  ServerReflectionRequest as ServerReflectionRequestV1Alpha,
} from "./gen/grpc/reflection/v1alpha/reflection_pb.ts";

/** A question, in either version of the protocol. */
export type Question =
  | ServerReflectionRequest["messageRequest"]
  | ServerReflectionRequestV1Alpha["messageRequest"];

/** A request, in either version. */
interface Request {
  readonly host: string;
  readonly messageRequest: Question;
}

/** A reply, for the version of the request. */
interface ReplyTo<R> {
  readonly validHost: string;
  readonly originalRequest: R;
  readonly messageResponse: Reply;
}

type Reply =
  | {
    readonly case: "fileDescriptorResponse";
    readonly value: { readonly fileDescriptorProto: Uint8Array[] };
  }
  | {
    readonly case: "allExtensionNumbersResponse";
    readonly value: {
      readonly baseTypeName: string;
      readonly extensionNumber: number[];
    };
  }
  | {
    readonly case: "listServicesResponse";
    readonly value: { readonly service: { readonly name: string }[] };
  }
  | {
    readonly case: "errorResponse";
    readonly value: {
      readonly errorCode: Status;
      readonly errorMessage: string;
    };
  };

/** What there is to tell. */
export interface Knowledge {
  /** The names of the services. */
  readonly names: Iterable<string>;
  /** The files; asked for again with each question. */
  readonly index: FileIndex;
}

/**
 * Replies to the requests of one stream, one by one. What is wrong
 * with a request is told in its reply.
 *
 * @param requests The requests.
 * @param knowledge What there is to tell.
 * @returns The replies.
 */
export async function* replyToAll<R extends Request>(
  requests: AsyncIterable<R>,
  knowledge: Knowledge,
): AsyncGenerator<ReplyTo<R>, void> {
  const replies = new Replies(knowledge);
  for await (const originalRequest of requests) {
    const { host: validHost, messageRequest } = originalRequest;
    const messageResponse = replies.reply(messageRequest);
    yield { validHost, originalRequest, messageResponse };
  }
}

/** The replies of one stream, which remembers the files that it has sent. */
class Replies {
  readonly #knowledge: Knowledge;
  readonly #sent = new Set<DescFile>();

  constructor(knowledge: Knowledge) {
    this.#knowledge = knowledge;
  }

  /** Replies to one question. */
  reply(question: Question): Reply {
    const { names, index } = this.#knowledge;
    const { value } = question;
    switch (question.case) {
      case "fileByFilename":
        return this.#fileReply(
          index.getFile(question.value),
          `No file is named "${value}"`,
        );
      case "fileContainingSymbol":
        return this.#fileReply(
          index.getFileOf(question.value),
          `No file declares "${value}"`,
        );
      case "fileContainingExtension": {
        const { containingType, extensionNumber } = question.value;
        return this.#fileReply(
          index.getFileOfExtension(containingType, extensionNumber),
          `No file declares extension ${extensionNumber} of "${containingType}"`,
        );
      }
      case "allExtensionNumbersOfType": {
        const extensionNumber = index.getExtensionNumbers(question.value);
        if (extensionNumber === undefined) {
          return failure(Status.NOT_FOUND, `No message is named "${value}"`);
        }
        return {
          case: "allExtensionNumbersResponse",
          value: { baseTypeName: question.value, extensionNumber },
        };
      }
      case "listServices":
        return {
          case: "listServicesResponse",
          value: { service: Array.from(names, (name) => ({ name })) },
        };
      default:
        return failure(
          Status.INVALID_ARGUMENT,
          "Request has none of the questions that this server knows",
        );
    }
  }

  /** Sends a file, and what it imports as far as that was not sent before. */
  #fileReply(file: DescFile | undefined, message: string): Reply {
    if (file === undefined) return failure(Status.NOT_FOUND, message);
    const files = new Set([file]);
    for (const { dependencies } of files) {
      for (const imported of dependencies) {
        if (!this.#sent.has(imported)) files.add(imported);
      }
    }
    for (const file of files) this.#sent.add(file);
    return {
      case: "fileDescriptorResponse",
      value: { fileDescriptorProto: Array.from(files, encodeFile) },
    };
  }
}

function failure(errorCode: Status, errorMessage: string): Reply {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
